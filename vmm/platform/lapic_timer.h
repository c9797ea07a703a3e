// SPDX-License-Identifier: BSD-2-Clause
/* What the registers of a local APIC tell its timer. Private to lapic*.c. */
#ifndef VMM_PLATFORM_LAPIC_TIMER_H
#define VMM_PLATFORM_LAPIC_TIMER_H

#include "vmm/platform/lapic.h"

void lapic_timer_start(struct lapic *lapic, uint32_t count); /* initial-count register written */
uint32_t lapic_timer_current(const struct lapic *lapic);
void lapic_timer_set_divide(struct lapic *lapic, uint32_t divide);
void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value);

#endif
