// SPDX-License-Identifier: BSD-2-Clause
/* The IO-APIC: 24 pins. Intel 82093AA data sheet. With the VM's lock held. */
#ifndef VMM_PLATFORM_IOAPIC_H
#define VMM_PLATFORM_IOAPIC_H

#include <leat/types.h>

struct vm;

#define IOAPIC_PINS 24
#define IOAPIC_SIZE 0x1000 /* of its MMIO range */

struct ioapic {
    struct vm *vm;
    uint32_t select;
    uint32_t lines; /* levels of the pins */
    uint64_t entries[IOAPIC_PINS];
};

void ioapic_init(struct ioapic *ioapic, struct vm *vm);
void ioapic_reset(void *ioapic);
void ioapic_set_line(struct ioapic *ioapic, unsigned pin, bool is_high);
void ioapic_eoi(struct ioapic *ioapic, uint8_t vector);

/* bus callbacks */
uint64_t ioapic_read(void *ioapic, uint64_t offset, unsigned width);
void ioapic_write(void *ioapic, uint64_t offset, unsigned width, uint64_t value);

#endif
