// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/thread.h"
#include "kernel/assert.h"
#include "kernel/domain.h"
#include "kernel/fpu.h"
#include "kernel/kmem.h"
#include "kernel/sched.h"
#include "kernel/smp.h"

/* Kernel stack, FPU area and the thread itself. */
#define THREAD_COST_PAGES (KERNEL_STACK_BYTES / LEAT_PAGE_SIZE + 2)

static void wake(struct thread *thread, enum wake_reason reason)
{
    if (thread->state != THREAD_BLOCKED)
        return;
    thread->wake_reason = (uint8_t)reason;
    timer_cancel(&thread->timer);
    sched_ready(thread);
}

static void deadline_passed(struct timer *timer)
{
    wake(LIST_ENTRY(timer, struct thread, timer), WAKE_TIMEOUT);
}

static struct thread *thread_alloc(struct quota *quota)
{
    if (quota_charge(quota, THREAD_COST_PAGES) != LEAT_OK)
        return NULL;
    struct thread *thread = kzalloc(sizeof(*thread));
    if (thread && kernel_stack_alloc(&thread->stack)) {
        if (fpu_init(&thread->fpu))
            return thread;
        kernel_stack_free(&thread->stack);
    }
    kfree(thread);
    quota_uncharge(quota, THREAD_COST_PAGES);
    return NULL;
}

int thread_create(struct domain *domain, uint64_t entry, uint64_t stack_top, uint64_t arg,
                  enum leat_prio priority)
{
    if (domain->dying)
        return LEAT_EDEAD;
    if (domain->thread_count >= DOMAIN_MAX_THREADS)
        return LEAT_ENOMEM;
    struct thread *thread = thread_alloc(domain->quota);
    if (!thread)
        return LEAT_ENOMEM;
    thread->domain = domain;
    thread->priority = (uint8_t)priority;
    list_init(&thread->ready_link);
    list_init(&thread->wait_link);
    timer_init(&thread->timer, deadline_passed);
    object_get(&domain->object); /* until thread_bury */
    domain->thread_count++;
    list_push_back(&domain->threads, &thread->domain_link);
    thread->cpu = this_cpu()->index;
    arch_thread_prepare(thread, entry, stack_top, arg);
    sched_ready(thread);
    return LEAT_OK;
}

enum wake_reason thread_block(uint64_t deadline_tsc)
{
    struct thread *self = this_cpu()->current;
    KASSERT(self->state == THREAD_RUNNING && self->domain);
    if (self->killed)
        return WAKE_KILLED;
    self->state = THREAD_BLOCKED;
    timer_start(&self->timer, deadline_tsc);
    schedule();
    return self->killed ? WAKE_KILLED : (enum wake_reason)self->wake_reason;
}

void thread_wake(struct thread *thread)
{
    wake(thread, WAKE_EVENT);
}

void thread_kill(struct thread *thread)
{
    if (thread->killed || thread->state == THREAD_DEAD)
        return;
    thread->killed = true;
    sched_set_priority(thread, LEAT_PRIO_SYSTEM);
    struct percpu *cpu = &cpus[thread->cpu];
    if (thread == cpu->current) {
        cpu->work |= CPU_WORK_KILL;
        smp_kick(cpu);
    }
    wake(thread, WAKE_KILLED);
}

_Noreturn void thread_exit(void)
{
    struct thread *self = this_cpu()->current;
    /* The teardown of the domain may be long and may be preempted: it is done here, as a thread,
       and only the stack is left for the next one to free. */
    self->killed = true;
    fpu_destroy(&self->fpu);
    sched_account();
    domain_thread_gone(self->domain, self);
    struct percpu *cpu = this_cpu();
    KASSERT(list_empty(&self->wait_link) && !cpu->zombie);
    self->state = THREAD_DEAD;
    cpu->zombie = self;
    schedule();
    __builtin_unreachable();
}

void thread_bury(struct thread *thread)
{
    struct domain *domain = thread->domain;
    kernel_stack_free(&thread->stack);
    kfree(thread);
    quota_uncharge(domain->quota, THREAD_COST_PAGES);
    object_put(&domain->object);
}
