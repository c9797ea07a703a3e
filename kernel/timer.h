// SPDX-License-Identifier: BSD-2-Clause
/*
 * Time: the TSC, and one-shot timers of the current CPU. Times are absolute TSC values. Called with
 * interrupts off.
 */
#ifndef KERNEL_TIMER_H
#define KERNEL_TIMER_H

#include "kernel/list.h"
#include <stdint.h>

#define TIMER_NEVER UINT64_MAX

struct timer {
    struct list link; /* in the CPU's list, by deadline */
    uint64_t deadline_tsc;
    void (*expired)(struct timer *timer); /* interrupts off; may not block; the timer is unlinked */
};

void timer_init(struct timer *timer, void (*expired)(struct timer *timer));

/* (Re)starts; a deadline in the past expires at the next timer interrupt, at once. TIMER_NEVER: as
   timer_cancel. */
void timer_start(struct timer *timer, uint64_t deadline_tsc);
void timer_cancel(struct timer *timer); /* harmless when it is not running */

/* From the timer interrupt: runs what has expired, ends the time slice, programs the next interrupt. */
void timer_interrupt(void);

/* Sees to it that the timer interrupt comes no later than this. For the scheduler. */
void timer_need_interrupt_at(uint64_t tsc);

/* leat_clock <-> TSC; exact inverses as ring 3 computes the clock. ns beyond the TSC's range:
   TIMER_NEVER. */
uint64_t clock_ns(void);
uint64_t clock_ns_to_tsc(uint64_t ns);
uint64_t clock_tsc_to_ns(uint64_t tsc);
/* Durations. */
uint64_t clock_ticks(uint64_t ns);
uint64_t clock_span_ns(uint64_t ticks);

#endif
