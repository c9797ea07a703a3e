// SPDX-License-Identifier: BSD-2-Clause
/* Which PCI functions the storage drivers know, and what each needs; without the drivers themselves. */
#ifndef DRIVERS_BLOCK_MATCH_H
#define DRIVERS_BLOCK_MATCH_H

#include <leat/types.h>

struct block_pci_id {
    uint16_t vendor, device;
    uint32_t class_code; /* base class << 16 | subclass << 8 | programming interface */
};

struct block_ports {
    uint16_t first, count; /* count 0: none */
};

struct block_match {
    const char *driver;          /* block_driver.name */
    uint8_t bars;                /* bit n: BAR n is needed, if the function has it */
    struct block_ports ports[4]; /* I/O ports at fixed places: BLOCK_REGION_PORTS + index */
    uint8_t isa_irqs[2]; /* interrupts at fixed places, edge-triggered; 0: none. No ISA interrupt
                                    at all: the function's own INTx */
};

/* NULL: no driver knows this function. */
const struct block_match *block_match_find(const struct block_pci_id *id);

#endif
