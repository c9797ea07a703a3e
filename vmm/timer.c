// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/timer.h"

static void find_earliest(struct vm_timers *timers)
{
    uint64_t earliest = 0;
    for (unsigned i = 0; i < timers->count; i++) {
        uint64_t t = timers->timers[i]->deadline_ns;
        if (t && (!earliest || t < earliest))
            earliest = t;
    }
    if (earliest == timers->earliest_ns)
        return;
    timers->earliest_ns = earliest;
    if (timers->changed)
        timers->changed(timers->changed_context);
}

int vm_timer_add(struct vm_timers *timers, struct vm_timer *timer, void (*fn)(void *),
                 void *context)
{
    if (timers->count == VM_MAX_TIMERS)
        return LEAT_ENOMEM;
    *timer = (struct vm_timer){.fn = fn, .context = context};
    timers->timers[timers->count++] = timer;
    return LEAT_OK;
}

void vm_timer_set(struct vm_timers *timers, struct vm_timer *timer, uint64_t deadline_ns)
{
    if (timer->deadline_ns == deadline_ns)
        return;
    timer->deadline_ns = deadline_ns;
    find_earliest(timers);
}

void vm_timers_run(struct vm_timers *timers, uint64_t now_ns)
{
    if (!timers->earliest_ns || timers->earliest_ns > now_ns)
        return;
    for (unsigned i = 0; i < timers->count; i++) {
        struct vm_timer *t = timers->timers[i];
        if (t->deadline_ns && t->deadline_ns <= now_ns) {
            t->deadline_ns = 0;
            t->fn(t->context);
        }
    }
    find_earliest(timers);
}
