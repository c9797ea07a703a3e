// SPDX-License-Identifier: BSD-2-Clause
/*
 * Scheduling on one CPU: fixed priorities, equal ones round robin in time slices. The kernel is not
 * preemptible: other threads run when this one blocks, at sched_preempt_point, and on the way back
 * to ring 3 (and after a VM exit) when CPU_WORK_RESCHED is set. All of it with interrupts off.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/list.h"
#include "kernel/percpu.h"
#include "kernel/thread.h"

#define SCHED_PRIORITIES 5u /* 0 is the idle thread's */

void sched_init_cpu(struct percpu *cpu); /* the caller becomes its idle thread */
void sched_init_slices(void);            /* when the clock runs */
_Noreturn void sched_idle(void);         /* what that does ever after */

/* Gives the CPU to the most urgent ready thread; returns when the caller runs again. */
void schedule(void);

/* Queues a thread that has become ready. For thread.c. */
void sched_ready(struct thread *thread);

/* Changes the priority of a thread in any state. */
void sched_set_priority(struct thread *thread, unsigned priority);

void sched_first_run(void); /* a new thread's first act on its own stack */

void sched_yield(void); /* lets threads of equal priority run first */

/* Time slice of the current thread is over: for timer.c. */
void sched_slice_check(uint64_t now_tsc);

/* For long loops: takes pending interrupts and lets more urgent threads run. */
void sched_preempt_point(void);

/* True when the current thread should give up the CPU or die: for a vCPU loop, after each exit:
       if (sched_need_resched()) schedule(); if (thread_killed(self)) leave; */
static inline bool sched_need_resched(void)
{
    return (this_cpu()->work & (CPU_WORK_RESCHED | CPU_WORK_KILL)) != 0;
}

/* CPU time of the running stretch is added to the domain's. For domain_status. */
void sched_account(void);

#endif
