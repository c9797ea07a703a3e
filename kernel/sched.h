// SPDX-License-Identifier: BSD-2-Clause
/*
 * Scheduling: one set of ready threads for all CPUs, under the kernel's lock. SYSTEM and SERVICE threads go by
 * fixed priority, first come first served, in time slices. DEVICE and GUEST threads share what is left: the CPU
 * takes one whose domain has had the least virtual time (share.h), DEVICE threads some way ahead of GUEST
 * threads. A thread that becomes ready takes an idle CPU, its last one if it can, else it interrupts the least
 * urgent one.
 *
 * The kernel is not preemptible: other threads run when this one blocks, at sched_preempt_point, and on the
 * way back to ring 3 (and after a VM exit) when CPU_WORK_RESCHED is set. All of it with interrupts off. After
 * each of these the caller may be on another CPU.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "kernel/list.h"
#include "kernel/percpu.h"
#include "kernel/thread.h"

#define SCHED_PRIORITIES 5u /* 0 is the idle thread's */

void sched_init_cpu(
    struct percpu *cpu);         /* the caller becomes its idle thread; online from now on */
void sched_init_slices(void);    /* when the clock runs */
_Noreturn void sched_idle(void); /* what that does ever after */

/* Gives the CPU to the most urgent ready thread; returns when the caller runs again. */
void schedule(void);

/* Queues a thread that has become ready, and finds a CPU for it. For thread.c. */
void sched_ready(struct thread *thread);

/* As LEAT_SYS_DOMAIN_SCHED. LEAT_OK, LEAT_EINVAL. */
int sched_set_share(struct domain *domain, const struct leat_domain_sched *wanted);
void sched_meet(struct domain *domain);   /* a new domain: the usual share */
void sched_forget(struct domain *domain); /* before it is freed */

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

/* CPU time of the stretches that run is added to their domains' and to idle times. For status calls. */
void sched_account(void);

#endif
