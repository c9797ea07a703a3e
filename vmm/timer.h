// SPDX-License-Identifier: BSD-2-Clause
/*
 * Timers of device models. They fire in the thread of vCPU 0, which enters the guest with the
 * earliest deadline. With the VM's lock held. Portable.
 */
#ifndef VMM_TIMER_H
#define VMM_TIMER_H

#include <leat/types.h>

#define VM_MAX_TIMERS 16

struct vm_timer {
    uint64_t deadline_ns; /* leat_clock; 0: off */
    void (*fn)(void *context);
    void *context;
};

struct vm_timers {
    unsigned count;
    uint64_t earliest_ns; /* 0: none is set */
    struct vm_timer *timers[VM_MAX_TIMERS];
    void (*changed)(void *context); /* called when earliest_ns changed; NULL: nobody */
    void *changed_context;
};

/* The timer must stay where it is. LEAT_ENOMEM. */
int vm_timer_add(struct vm_timers *timers, struct vm_timer *timer, void (*fn)(void *),
                 void *context);

/* deadline 0 switches it off. May be called from the timer's own function. */
void vm_timer_set(struct vm_timers *timers, struct vm_timer *timer, uint64_t deadline_ns);

/* Calls the functions of all timers whose deadline is at or before now; each is off by then. */
void vm_timers_run(struct vm_timers *timers, uint64_t now_ns);

#endif
