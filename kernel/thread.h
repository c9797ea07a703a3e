// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads: each belongs to a domain, has a kernel stack and fixed priority. A thread that is
 * killed while in the kernel is woken, unwinds by itself and dies on its way back to ring 3: every
 * loop in the kernel that blocks or preempts looks at thread_killed().
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <leat/syscall.h>
#include "kernel/arch.h"
#include "kernel/list.h"
#include "kernel/timer.h"

struct domain;

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_DEAD };

enum wake_reason {
    WAKE_EVENT,   /* thread_wake */
    WAKE_TIMEOUT, /* the deadline passed */
    WAKE_KILLED,
};

struct thread {
    struct list ready_link;
    struct list domain_link;
    struct domain *domain; /* a reference; NULL: the idle thread */
    uint64_t kernel_sp;    /* while not running */
    struct kernel_stack stack;
    struct fpu fpu;      /* ring-3 FPU state */
    struct timer timer;  /* deadline of thread_block */
    uint64_t slice_left; /* TSC ticks; 0: a whole new slice */
    uint32_t cpu;        /* where it runs or ran last */
    uint8_t priority;    /* enum leat_prio; 0: idle */
    uint8_t state;       /* enum thread_state */
    uint8_t wake_reason; /* enum wake_reason */
    bool killed;
    bool slice_over;
    /* of notif_wait, see notif.c */
    struct list wait_link;
    uint64_t wait_mask, wait_result;
};

/* Makes a thread that starts in ring 3, ready to run. LEAT_OK, LEAT_ENOMEM, LEAT_EDEAD. */
int thread_create(struct domain *domain, uint64_t entry, uint64_t stack_top, uint64_t arg,
                  enum leat_prio priority);

/*
 * Blocks the current thread until thread_wake, deadline_tsc (TIMER_NEVER: none), or its death. A
 * wake-up cannot get lost: look at the condition, then call this, with interrupts off throughout.
 * Returns at once (WAKE_KILLED) when the thread has been killed.
 */
enum wake_reason thread_block(uint64_t deadline_tsc);

/* Makes a blocked thread ready; nothing if it is not blocked. May set CPU_WORK_RESCHED. From interrupts
   too. */
void thread_wake(struct thread *thread);

/* Tells it to die, at the highest priority: it must not linger behind busier threads. */
void thread_kill(struct thread *thread);
void thread_bury(struct thread *thread); /* frees a dead one; for sched.c */
_Noreturn void thread_exit(void);        /* ends the current thread */

static inline bool thread_killed(const struct thread *thread)
{
    return thread->killed;
}

#endif
