// SPDX-License-Identifier: BSD-2-Clause
/* Local APIC, IO-APICs. SDM vol. 3, chapter 11; 82093AA data sheet. */
#ifndef ARCH_APIC_H
#define ARCH_APIC_H

#include <stdint.h>

void apic_init_cpu(void); /* maps and enables this CPU's, timer off */
void apic_eoi(void);

/* Interrupt commands: SDM vol. 3, 11.6.1. Do not return before the last one has been taken. */
void apic_send(uint32_t apic_id, uint32_t command);
void apic_stop_others(void); /* an NMI to all */

/* Once. Chooses TSC deadlines where the CPU has them, else takes 15 ms to measure the timer's rate. */
void apic_timer_calibrate(uint64_t tsc_hz);
void apic_timer_enable(void); /* on each further CPU */

void ioapic_init(void); /* those that boot has found; all lines masked */

#endif
