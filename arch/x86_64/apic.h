// SPDX-License-Identifier: BSD-2-Clause
/* Local APIC, IO-APICs, 8259s. SDM vol. 3, chapter 11; 82093AA data sheet. */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <stdint.h>

void pic_mask_all(void);

void apic_init_cpu(void); /* maps and enables this CPU's, timer off */
void apic_eoi(void);

/* Starts the timer counting down from its maximum, silently, and tells how far it has come: for
 * calibration. */
void apic_timer_count_start(void);
uint32_t apic_timer_counted(void);
/* After calibration: ticks of the APIC timer for 2^32 ticks of the TSC. Chooses TSC deadlines where
 * the CPU has them. */
void apic_timer_setup(uint64_t ticks_per_tsc);

void ioapic_init(void); /* from the MADT; all lines masked */

#endif
