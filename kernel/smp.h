// SPDX-License-Identifier: BSD-2-Clause
/*
 * Several CPUs. One lock guards the kernel: whoever runs in ring 0 holds it, but for the way between
 * the last check before ring 3 or a guest and the entry, the way out of a guest up to its exit
 * handler, idling, and the entry code. What is touched there is the CPU's own, or the vCPU's that
 * runs on it.
 *
 * A CPU that holds the lock can make others do something at once (smp_call): they do it in the
 * interrupt handler, or while they wait for the lock, in both cases without it.
 */
#ifndef KERNEL_SMP_H
#define KERNEL_SMP_H

#include "kernel/percpu.h"

extern uint32_t cpu_count; /* CPUs 0 ... cpu_count - 1 run */

/* Waits with interrupts off; calls of smp_call are served meanwhile. */
void kernel_lock(void);
void kernel_unlock(void);

/* Runs fn(arg) on every CPU of the mask (this one included, if in it), with interrupts off and without the
 * lock; returns when all have. fn must not block, lock, or call klog. For holders of the lock. */
void smp_call(uint64_t mask, void (*fn)(void *arg), void *arg);
void smp_serve(void); /* this CPU's part, if any: from the interrupt */

/* Makes a CPU look at its percpu.work soon: ring 3 or a guest there is interrupted. */
void smp_kick(struct percpu *cpu);

#endif
