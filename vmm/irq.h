// SPDX-License-Identifier: BSD-2-Clause
/*
 * What devices call to raise interrupts; implemented by the platform (IO-APIC, PIC, local APICs).
 * With the VM's lock held. Takes care of kicking the vCPU that must take it.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <leat/types.h>

struct vm;

/* Sets a global system interrupt's line: ISA lines 0..15, PCI INTx 16..23. */
void irq_set_line(struct vm *vm, unsigned gsi, bool is_high);

/* A message-signalled interrupt: SDM vol. 3, 11.11 (address 0xfeexxxxx). Other addresses are
 * dropped. */
void irq_send_msi(struct vm *vm, uint64_t address, uint32_t data);

#endif
