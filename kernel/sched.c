// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/sched.h"
#include "kernel/assert.h"
#include "kernel/domain.h"
#include "kernel/fpu.h"
#include "kernel/smp.h"

#define SLICE_NS 10000000u
#define SLICE_SHARED_NS 5000000u /* of GUEST and DEVICE threads; docs/architecture.md names it */
#define PERIOD_NS 10000000u      /* of caps */

_Static_assert(LEAT_PRIO_SYSTEM < SCHED_PRIORITIES, "every priority has a queue");

static struct thread idle_threads[MAX_CPUS];
static struct list ready[SCHED_PRIORITIES]; /* DEVICE threads are in the one of GUEST */
static uint64_t idle_cpus, online_cpus;     /* bit n: CPU n */
static uint64_t virtual_now;         /* the furthest vtime at which a shared thread was chosen */
static bool any_own_core;            /* a domain has LEAT_SCHED_OWN_CORE */
static uint64_t slice, slice_shared; /* ticks; set once the TSC's rate is known */

void sched_init_slices(void)
{
    slice = clock_ticks(SLICE_NS);
    slice_shared = clock_ticks(SLICE_SHARED_NS);
    share_period = clock_ticks(PERIOD_NS);
}

static uint64_t bit_of(const struct percpu *cpu)
{
    return 1ull << cpu->index;
}

void sched_init_cpu(struct percpu *cpu)
{
    for (unsigned i = 0; i < SCHED_PRIORITIES && !ready[i].next; i++)
        list_init(&ready[i]);
    list_init(&cpu->timers);
    cpu->timer_armed_tsc = TIMER_NEVER;
    cpu->slice_end_tsc = TIMER_NEVER;
    cpu->switched_at_tsc = rdtsc();
    cpu->idle = &idle_threads[cpu->index];
    cpu->idle->state = THREAD_RUNNING;
    cpu->idle->cpu = cpu->index;
    list_init(&cpu->idle->ready_link);
    cpu->current = cpu->idle;
    online_cpus |= bit_of(cpu);
    idle_cpus |= bit_of(cpu);
}

static bool is_shared(const struct thread *thread)
{
    return thread->priority <= LEAT_PRIO_DEVICE;
}

static struct share *share_of(const struct thread *thread)
{
    return &thread->domain->share;
}

static struct thread *ready_thread(struct list *link)
{
    return LIST_ENTRY(link, struct thread, ready_link);
}

static void queue(struct thread *thread, bool at_head)
{
    struct list *list = &ready[is_shared(thread) ? LEAT_PRIO_GUEST : thread->priority];
    thread->state = THREAD_READY;
    if (at_head)
        list_push_front(list, &thread->ready_link);
    else
        list_push_back(list, &thread->ready_link);
}

/* -- who runs where -- */

/* The earlier, the sooner; of shared threads. */
static uint64_t key_of(const struct thread *thread)
{
    return share_of(thread)->vtime - (thread->priority == LEAT_PRIO_DEVICE ? slice_shared : 0);
}

static bool may_run(const struct percpu *cpu, const struct thread *thread)
{
    const struct share *share = share_of(thread);
    return (share->cpus & bit_of(cpu)) && !(is_shared(thread) && share->is_capped);
}

/* A thread costs less where it ran last, and the running one least: some way ahead. */
static uint64_t key_on(const struct percpu *cpu, const struct thread *thread)
{
    uint64_t bonus = thread == cpu->current && !thread->slice_over ? slice_shared / 5
                     : thread->cpu == cpu->index                   ? slice_shared / 25
                                                                   : 0;
    return key_of(thread) - bonus;
}

static struct thread *best_for(const struct percpu *cpu)
{
    for (unsigned p = LEAT_PRIO_SYSTEM; p > LEAT_PRIO_DEVICE; p--)
        for (struct list *at = ready[p].next; at != &ready[p]; at = at->next)
            if (may_run(cpu, ready_thread(at)))
                return ready_thread(at);
    struct thread *best = NULL;
    uint64_t best_key = 0;
    for (struct list *at = ready[LEAT_PRIO_GUEST].next; at != &ready[LEAT_PRIO_GUEST];
         at = at->next) {
        struct thread *thread = ready_thread(at);
        uint64_t key = key_on(cpu, thread);
        if (may_run(cpu, thread) && (!best || share_is_before(key, best_key))) {
            best = thread;
            best_key = key;
        }
    }
    return best;
}

static void resched(struct percpu *cpu)
{
    if (cpu->work & CPU_WORK_RESCHED)
        return;
    cpu->work |= CPU_WORK_RESCHED;
    if (cpu != this_cpu())
        smp_kick(cpu);
}

/* They may not run on one core at once. */
static bool are_strangers(const struct thread *a, const struct thread *b)
{
    return a->domain && b->domain && a->domain != b->domain && is_shared(a) && is_shared(b) &&
           ((share_of(a)->flags | share_of(b)->flags) & LEAT_SCHED_OWN_CORE);
}

/* Another hardware thread of the core runs a stranger. */
static struct percpu *stranger_on_core(const struct percpu *cpu, const struct thread *thread)
{
    for (uint32_t i = 0; any_own_core && i < cpu_count; i++)
        if (&cpus[i] != cpu && cpus[i].core == cpu->core && are_strangers(cpus[i].current, thread))
            return &cpus[i];
    return NULL;
}

/* A stranger that comes before `next` waits for another hardware thread of the core, which is idle so long. */
static struct percpu *owed_on_core(const struct percpu *cpu, const struct thread *next)
{
    for (uint32_t i = 0; any_own_core && i < cpu_count; i++) {
        if (&cpus[i] == cpu || cpus[i].core != cpu->core || cpus[i].current != cpus[i].idle)
            continue;
        const struct thread *other = best_for(&cpus[i]);
        if (other && are_strangers(other, next) &&
            share_is_before(key_on(&cpus[i], other), key_on(cpu, next)))
            return &cpus[i];
    }
    return NULL;
}

/* Idle CPUs may have something to do, now that others have chosen. */
static void offer_rest(const struct percpu *chooser)
{
    for (uint64_t rest = idle_cpus & ~bit_of(chooser); rest; rest &= rest - 1) {
        struct percpu *cpu = &cpus[__builtin_ctzll(rest)];
        struct thread *thread = best_for(cpu);
        if (thread && !stranger_on_core(cpu, thread))
            resched(cpu);
    }
}

/* Should `thread` interrupt what runs there? */
static bool beats(const struct thread *thread, const struct percpu *cpu, uint64_t now)
{
    const struct thread *current = cpu->current;
    if (current == cpu->idle)
        return true;
    if (!is_shared(thread) || !is_shared(current))
        return thread->priority > current->priority;
    uint64_t ran = share_virtual(share_of(current), now - cpu->switched_at_tsc);
    return share_is_before(key_of(thread) + slice_shared / 5, key_of(current) + ran);
}

static void place(const struct thread *thread)
{
    struct percpu *chosen = NULL;
    uint64_t now = rdtsc();
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct percpu *cpu = &cpus[(thread->cpu + i) % cpu_count]; /* its last one first */
        if (!may_run(cpu, thread) || (cpu->work & CPU_WORK_RESCHED) || !beats(thread, cpu, now))
            continue;
        if (!chosen || cpu->current->priority < chosen->current->priority)
            chosen = cpu;
        if (cpu->current == cpu->idle)
            break;
    }
    if (chosen)
        resched(chosen);
}

void sched_ready(struct thread *thread)
{
    thread->slice_left = 0;
    if (is_shared(thread))
        share_catch_up(share_of(thread), virtual_now - slice_shared);
    queue(thread, false);
    place(thread);
}

void sched_set_priority(struct thread *thread, unsigned priority)
{
    bool was_ready = thread->state == THREAD_READY;
    if (was_ready)
        list_remove(&thread->ready_link);
    thread->priority = (uint8_t)priority;
    if (was_ready)
        sched_ready(thread);
}

/* -- accounts and caps -- */

static void uncap(struct timer *timer)
{
    struct domain *domain = LIST_ENTRY(timer, struct domain, uncap);
    const struct list *all = &ready[LEAT_PRIO_GUEST];
    bool has_waited = false;
    for (struct list *at = all->next; at != all; at = at->next)
        has_waited |= ready_thread(at)->domain == domain;
    share_resume(&domain->share, rdtsc(), has_waited);
    for (struct list *at = all->next; at != all; at = at->next)
        if (ready_thread(at)->domain == domain)
            place(ready_thread(at));
}

/* Makes the domain's running threads stop: they are at their cap. */
static void cap(struct domain *domain)
{
    for (uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i].current->domain == domain)
            resched(&cpus[i]);
    timer_start(&domain->uncap, share_resume_at(&domain->share));
}

static void account(struct percpu *cpu, uint64_t now)
{
    struct thread *thread = cpu->current;
    uint64_t ran = now - cpu->switched_at_tsc;
    if ((int64_t)ran <= 0)
        return; /* read by a CPU whose TSC is a little behind */
    cpu->switched_at_tsc = now;
    if (!thread->domain) {
        cpu->idle_ticks += ran;
        return;
    }
    thread->domain->cpu_tsc += ran;
    if (is_shared(thread) && share_charge(share_of(thread), ran, now))
        cap(thread->domain);
}

void sched_account(void)
{
    for (uint32_t i = 0; i < cpu_count; i++)
        account(&cpus[i], rdtsc());
}

int sched_set_share(struct domain *domain, const struct leat_domain_sched *wanted)
{
    sched_account();
    int error = share_set(&domain->share, wanted, online_cpus, rdtsc());
    if (error != LEAT_OK)
        return error;
    any_own_core |= wanted->flags & LEAT_SCHED_OWN_CORE;
    if (domain->share.is_capped)
        timer_start(&domain->uncap, rdtsc());
    for (uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i].current->domain == domain)
            resched(&cpus[i]);
    return LEAT_OK;
}

void sched_meet(struct domain *domain)
{
    share_init(&domain->share);
    timer_init(&domain->uncap, uncap);
}

void sched_forget(struct domain *domain)
{
    timer_cancel(&domain->uncap);
}

/* -- switching -- */

/* After arch_switch, on the new thread's stack: a dead thread cannot free the stack that it runs
 * on. */
static void bury_zombie(struct percpu *cpu)
{
    struct thread *zombie = cpu->zombie;
    if (zombie) {
        cpu->zombie = NULL;
        thread_bury(zombie);
    }
}

void sched_first_run(void)
{
    bury_zombie(this_cpu());
}

static void start_slice(struct percpu *cpu, struct thread *thread)
{
    if (thread == cpu->idle) {
        cpu->slice_end_tsc = TIMER_NEVER;
        return;
    }
    uint64_t length = thread->slice_left;
    if (is_shared(thread))
        length = share_slice(share_of(thread), length ? length : slice_shared);
    else if (!length)
        length = slice;
    cpu->slice_end_tsc = cpu->switched_at_tsc + length;
    timer_need_interrupt_at(cpu->slice_end_tsc);
}

static void switch_to(struct percpu *cpu, struct thread *last, struct thread *next)
{
    next->state = THREAD_RUNNING;
    next->cpu = cpu->index;
    if (next == cpu->idle)
        idle_cpus |= bit_of(cpu);
    else
        idle_cpus &= ~bit_of(cpu);
    cpu->chosen_at_tsc = cpu->switched_at_tsc;
    start_slice(cpu, next);
    fpu_release(); /* the thread may go on elsewhere */
    cpu->work = (cpu->work & CPU_WORK_MSRS) | (next->killed ? CPU_WORK_KILL : 0) |
                (next == cpu->idle ? 0 : CPU_WORK_FPU);
    arch_switch(last, next);
    bury_zombie(this_cpu());
}

/* A vCPU runs so long before another one's wake-up ends its turn: or what the switching costs, and is charged for, could be
   all that it gets. */
static bool is_fresh(const struct percpu *cpu, const struct thread *thread, uint64_t now)
{
    return thread->state == THREAD_READY && thread->priority == LEAT_PRIO_GUEST &&
           thread->slice_left && now < cpu->chosen_at_tsc + slice_shared / 10;
}

/* Takes the thread to run next off its queue; self: the one that has run until now. */
static struct thread *choose(struct percpu *cpu, struct thread *self, uint64_t now)
{
    struct thread *next = best_for(cpu);
    struct percpu *other = next ? owed_on_core(cpu, next) : NULL;
    if (next && (next != self || other) && next->priority == LEAT_PRIO_GUEST &&
        is_fresh(cpu, self, now) && may_run(cpu, self)) {
        next = self;
        other = NULL;
        self->slice_left =
            cpu->chosen_at_tsc + slice_shared / 10 - now; /* then it is the other one's turn */
    }
    if (next && !other)
        other = stranger_on_core(cpu, next);
    if (other) { /* it looks again, sees this one idle, and may take that thread itself */
        resched(other);
        return cpu->idle;
    }
    if (!next)
        return cpu->idle;
    list_remove(&next->ready_link);
    if (is_shared(next) && share_is_before(virtual_now, share_of(next)->vtime))
        virtual_now = share_of(next)->vtime;
    return next;
}

void schedule(void)
{
    struct percpu *cpu = this_cpu();
    struct thread *self = cpu->current;
    uint64_t now = rdtsc();
    account(cpu, now);
    cpu->work &= ~(uint32_t)CPU_WORK_RESCHED;
    if (self->state == THREAD_RUNNING && self != cpu->idle) {
        bool rest = !self->slice_over && now < cpu->slice_end_tsc;
        self->slice_left = rest ? cpu->slice_end_tsc - now : 0;
        queue(self, rest);
    }
    struct thread *next = choose(cpu, self, now);
    self->slice_over = false;
    if (next == self) { /* goes on; or was woken, or killed, before it had left */
        self->state = THREAD_RUNNING;
        start_slice(cpu, self);
    }
    cpu->current = next; /* as the others are to see it */
    offer_rest(cpu);
    if (next != self)
        switch_to(cpu, self, next);
}

void sched_yield(void)
{
    this_cpu()->current->slice_over = true;
    schedule();
}

void sched_slice_check(uint64_t now_tsc)
{
    struct percpu *cpu = this_cpu();
    if (cpu->current == cpu->idle)
        return;
    if (now_tsc >= cpu->slice_end_tsc) {
        cpu->current->slice_over = true;
        cpu->work |= CPU_WORK_RESCHED;
    } else {
        timer_need_interrupt_at(cpu->slice_end_tsc);
    }
}

void sched_preempt_point(void)
{
    arch_interrupt_window();
    kernel_unlock(); /* others' turn */
    for (unsigned i = 0; i < 16; i++)
        cpu_relax();
    kernel_lock();
    struct percpu *cpu = this_cpu();
    if ((cpu->work & CPU_WORK_RESCHED) && cpu->current != cpu->idle)
        schedule();
}

_Noreturn void sched_idle(void)
{
    for (;;) {
        if (this_cpu()->work & CPU_WORK_RESCHED)
            schedule();
        else
            arch_idle();
    }
}
