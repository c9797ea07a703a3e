// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/sched.h"
#include "kernel/assert.h"
#include "kernel/domain.h"

#define SLICE_NS 10000000u
#define SLICE_GUEST_NS 5000000u

_Static_assert(sizeof(cpus[0].ready) / sizeof(cpus[0].ready[0]) == SCHED_PRIORITIES,
               "one queue each");
_Static_assert(LEAT_PRIO_SYSTEM < SCHED_PRIORITIES, "every priority has a queue");

static struct thread idle_threads[MAX_CPUS];

static uint64_t slice_ticks[SCHED_PRIORITIES]; /* set once the TSC's rate is known */

void sched_init_slices(void)
{
    for (unsigned i = 0; i < SCHED_PRIORITIES; i++)
        slice_ticks[i] = clock_ticks(i == LEAT_PRIO_GUEST ? SLICE_GUEST_NS : SLICE_NS);
}

static uint64_t slice_of(const struct thread *thread)
{
    return slice_ticks[thread->priority];
}

void sched_init_cpu(struct percpu *cpu)
{
    for (unsigned i = 0; i < SCHED_PRIORITIES; i++)
        list_init(&cpu->ready[i]);
    list_init(&cpu->timers);
    cpu->timer_armed_tsc = TIMER_NEVER;
    cpu->slice_end_tsc = TIMER_NEVER;
    cpu->idle = &idle_threads[cpu->index];
    cpu->idle->state = THREAD_RUNNING;
    list_init(&cpu->idle->ready_link);
    cpu->current = cpu->idle;
}

static void queue(struct percpu *cpu, struct thread *thread, bool at_head)
{
    struct list *ready = &cpu->ready[thread->priority];
    thread->state = THREAD_READY;
    if (at_head)
        list_push_front(ready, &thread->ready_link);
    else
        list_push_back(ready, &thread->ready_link);
    cpu->ready_mask |= 1u << thread->priority;
}

static unsigned top_priority(const struct percpu *cpu)
{
    return cpu->ready_mask ? 31u - (unsigned)__builtin_clz(cpu->ready_mask) : 0;
}

void sched_ready(struct thread *thread)
{
    struct percpu *cpu = this_cpu();
    thread->slice_left = slice_of(thread);
    queue(cpu, thread, false);
    if (thread->priority > cpu->current->priority)
        cpu->work |= CPU_WORK_RESCHED;
    else if (thread->priority == cpu->current->priority)
        timer_need_interrupt_at(cpu->slice_end_tsc);
}

void sched_set_priority(struct thread *thread, unsigned priority)
{
    struct percpu *cpu = this_cpu();
    bool was_ready = thread->state == THREAD_READY;
    if (was_ready) {
        list_remove(&thread->ready_link);
        if (list_empty(&cpu->ready[thread->priority]))
            cpu->ready_mask &= ~(1u << thread->priority);
    }
    thread->priority = (uint8_t)priority;
    if (was_ready)
        sched_ready(thread);
}

void sched_account(void)
{
    struct percpu *cpu = this_cpu();
    uint64_t now = rdtsc();
    if (cpu->current->domain)
        cpu->current->domain->cpu_tsc += now - cpu->switched_at_tsc;
    cpu->switched_at_tsc = now;
}

static struct thread *take_next(struct percpu *cpu)
{
    if (!cpu->ready_mask)
        return cpu->idle;
    unsigned priority = top_priority(cpu);
    struct thread *next = LIST_ENTRY(cpu->ready[priority].next, struct thread, ready_link);
    list_remove(&next->ready_link);
    if (list_empty(&cpu->ready[priority]))
        cpu->ready_mask &= ~(1u << priority);
    return next;
}

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

static void switch_to(struct percpu *cpu, struct thread *next)
{
    struct thread *last = cpu->current;
    sched_account();
    cpu->slice_end_tsc = next == cpu->idle ? TIMER_NEVER : cpu->switched_at_tsc + next->slice_left;
    next->state = THREAD_RUNNING;
    cpu->current = next;
    cpu->work = (cpu->work & CPU_WORK_MSRS) | (next->killed ? CPU_WORK_KILL : 0) |
                (cpu->fpu_owner != &next->fpu ? CPU_WORK_FPU : 0);
    if (cpu->ready_mask & (1u << next->priority))
        timer_need_interrupt_at(cpu->slice_end_tsc);
    arch_switch(last, next);
    bury_zombie(this_cpu());
}

void sched_first_run(void)
{
    bury_zombie(this_cpu());
}

void schedule(void)
{
    struct percpu *cpu = this_cpu();
    struct thread *self = cpu->current;
    cpu->work &= ~(uint32_t)CPU_WORK_RESCHED;
    if (self->state == THREAD_RUNNING) {
        unsigned top = top_priority(cpu);
        if (top < self->priority || top == 0 || (top == self->priority && !self->slice_over)) {
            self->slice_over = false;
            return;
        }
        if (self != cpu->idle) {
            uint64_t now = rdtsc();
            bool rest = !self->slice_over && now < cpu->slice_end_tsc;
            self->slice_left = rest ? cpu->slice_end_tsc - now : slice_of(self);
            queue(cpu, self, rest);
        }
        self->slice_over = false;
    }
    struct thread *next = take_next(cpu);
    if (next == self) { /* woken, or killed, between its decision to block and this call */
        self->state = THREAD_RUNNING;
        return;
    }
    switch_to(cpu, next);
}

void sched_yield(void)
{
    this_cpu()->current->slice_over = true;
    schedule();
}

void sched_slice_check(uint64_t now_tsc)
{
    struct percpu *cpu = this_cpu();
    struct thread *self = cpu->current;
    if (self == cpu->idle || !(cpu->ready_mask & (1u << self->priority)))
        return;
    if (now_tsc >= cpu->slice_end_tsc) {
        self->slice_over = true;
        cpu->work |= CPU_WORK_RESCHED;
    } else {
        timer_need_interrupt_at(cpu->slice_end_tsc);
    }
}

void sched_preempt_point(void)
{
    struct percpu *cpu = this_cpu();
    arch_interrupt_window();
    if ((cpu->work & CPU_WORK_RESCHED) && cpu->current != cpu->idle)
        schedule();
}

_Noreturn void sched_idle(void)
{
    for (;;) {
        if (this_cpu()->ready_mask)
            schedule();
        else
            arch_idle();
    }
}
