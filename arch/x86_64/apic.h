// SPDX-License-Identifier: BSD-2-Clause
/* Local APIC, IO-APICs, 8259s. SDM vol. 3, chapter 11; 82093AA data sheet. */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <stdint.h>

void pic_mask_all(void);

void apic_init_cpu(void); /* maps and enables this CPU's, timer off */
void apic_eoi(void);

/* Interrupt commands: SDM vol. 3, 11.6.1. Do not return before the last one has been taken. */
void apic_send(uint32_t apic_id, uint32_t command);
void apic_stop_others(void); /* an NMI to all */

/* Starts the timer counting down from its maximum, silently, and tells how far it has come: for
 * calibration. */
void apic_timer_count_start(void);
uint32_t apic_timer_counted(void);
/* After calibration: ticks of the APIC timer for 2^32 ticks of the TSC. Chooses TSC deadlines where
 * the CPU has them. */
void apic_timer_setup(uint64_t ticks_per_tsc);
void apic_timer_enable(void); /* on each further CPU */

void ioapic_init(void); /* from the MADT; all lines masked */

#endif
