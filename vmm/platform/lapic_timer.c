// SPDX-License-Identifier: BSD-2-Clause
/* The timer of a local APIC: SDM vol. 3, 11.5.4. */
#include "vmm/platform/lapic_timer.h"

#include "vmm/vm.h"

#define LVT_MASKED (1u << 16)
#define MODE_ONE_SHOT 0
#define MODE_PERIODIC 1
#define MODE_TSC_DEADLINE 2

/* Host's ticks. A guest that asks for less would only starve itself of time between two timer exits. */
#define MIN_PERIOD_TSC 2048

static uint32_t timer_lvt(const struct lapic *lapic)
{
    return lapic->lvt[0];
}
static unsigned mode(const struct lapic *lapic)
{
    return timer_lvt(lapic) >> 17 & 3;
}

/* Divide configuration register, figure 11-10: 0b1011 divides by 1, 0b0000 by 2, ... 0b1010 by 128.
 */
static unsigned divide_shift(const struct lapic *lapic)
{
    unsigned v = (lapic->divide & 3) | (lapic->divide >> 1 & 4);
    return (v + 1) & 7;
}

static void fire(struct lapic *lapic)
{
    uint32_t lvt = timer_lvt(lapic);
    if (!(lvt & LVT_MASKED))
        lapic_receive(lapic, LAPIC_FIXED, lvt & 0xff, false);
}

void lapic_timer_expire(struct lapic *lapic, uint64_t now_tsc)
{
    uint64_t deadline = lapic->deadline_tsc;
    if (!deadline || deadline > now_tsc)
        return;
    lapic->deadline_tsc = 0;
    if (mode(lapic) == MODE_PERIODIC && lapic->period_tsc) {
        uint64_t late = now_tsc - deadline;
        /* ticks that were missed are gone, the phase stays */
        lapic->deadline_tsc = now_tsc + lapic->period_tsc - late % lapic->period_tsc;
    }
    fire(lapic);
}

void lapic_set_tsc_deadline(struct lapic *lapic, uint64_t guest_tsc)
{
    if (mode(lapic) != MODE_TSC_DEADLINE)
        return;
    if (!guest_tsc) {
        lapic->deadline_tsc = 0;
        return;
    }
    uint64_t now = vm_now_tsc(lapic->vm);
    uint64_t deadline = guest_tsc - lapic->tsc_offset;
    if (guest_tsc <= now + lapic->tsc_offset) {
        lapic->deadline_tsc = 0;
        fire(lapic); /* saves the exit that would come at once */
    } else {
        lapic->deadline_tsc = deadline ? deadline : 1;
    }
}

uint64_t lapic_tsc_deadline(const struct lapic *lapic)
{
    if (mode(lapic) != MODE_TSC_DEADLINE || !lapic->deadline_tsc)
        return 0;
    return lapic->deadline_tsc + lapic->tsc_offset;
}

void lapic_set_tsc_offset(struct lapic *lapic, uint64_t offset)
{
    uint64_t armed = lapic_tsc_deadline(lapic);
    lapic->tsc_offset = offset;
    if (armed)
        lapic_set_tsc_deadline(lapic, armed);
}

static void set_period(struct lapic *lapic)
{
    uint64_t period = (uint64_t)lapic->initial_count << divide_shift(lapic);
    uint64_t least = tsc_from_host(&lapic->vm->tsc, MIN_PERIOD_TSC);
    lapic->period_tsc = period < least ? least : period;
}

void lapic_timer_start(struct lapic *lapic, uint32_t count)
{
    if (mode(lapic) == MODE_TSC_DEADLINE)
        return;
    lapic->initial_count = count;
    lapic->deadline_tsc = lapic->period_tsc = 0;
    if (!count)
        return;
    set_period(lapic);
    lapic->deadline_tsc = vm_now_tsc(lapic->vm) + lapic->period_tsc;
}

uint32_t lapic_timer_current(const struct lapic *lapic)
{
    if (mode(lapic) == MODE_TSC_DEADLINE || !lapic->deadline_tsc)
        return 0;
    uint64_t now = vm_now_tsc(lapic->vm);
    if (now >= lapic->deadline_tsc)
        return 0;
    uint64_t left = (lapic->deadline_tsc - now) >> divide_shift(lapic);
    return left > lapic->initial_count ? lapic->initial_count : (uint32_t)left;
}

void lapic_timer_set_divide(struct lapic *lapic, uint32_t divide)
{
    uint32_t left = lapic_timer_current(lapic);
    lapic->divide = divide & 0xb;
    if (!left)
        return;
    set_period(lapic);
    lapic->deadline_tsc = vm_now_tsc(lapic->vm) + ((uint64_t)left << divide_shift(lapic));
}

void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value)
{
    bool was_deadline = mode(lapic) == MODE_TSC_DEADLINE;
    lapic->lvt[0] = value;
    /* a change to or from TSC-deadline mode disarms: SDM vol. 3, 11.5.4.1 */
    if (was_deadline != (mode(lapic) == MODE_TSC_DEADLINE)) {
        lapic->deadline_tsc = lapic->period_tsc = 0;
        lapic->initial_count = 0;
    }
}
