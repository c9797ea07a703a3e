// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finds the PCI functions of the machine, and among them the network cards. Portable: the
 * configuration space is reached through two functions (ports 0xCF8/0xCFC in pci_ports.c, an array
 * in tests).
 */
#ifndef SUPERVISOR_PCI_H
#define SUPERVISOR_PCI_H

#include <leat/types.h>

#define PCI_MAX_FUNCTIONS 128

struct pci_address {
    uint8_t bus, device, function;
};

struct pci_access { /* offset: a multiple of 4, below 256 */
    uint32_t (*read)(void *context, struct pci_address at, unsigned offset);
    void (*write)(void *context, struct pci_address at, unsigned offset, uint32_t value);
    void *context;
};

struct pci_function {
    struct pci_address at;
    uint16_t vendor, device;
    uint8_t class_code, subclass, prog_if;
    uint8_t irq_line; /* as firmware routed it; 0 or 255: not routed */
    uint8_t irq_pin;  /* 0: none; 1 to 4: INTA to INTD */
};

struct pci_list {
    unsigned count;
    bool is_cut; /* more functions than fit */
    struct pci_function functions[PCI_MAX_FUNCTIONS];
};

/* Fills the list from bus 0, and every bus behind a bridge that firmware numbered. */
void pci_scan(const struct pci_access *access, struct pci_list *list);

/* Base and size in bytes of memory BAR 0 to 5. LEAT_ENOENT: the function has no such BAR, or it is of ports, or
   has no address. Decoding is off for the moment that the size takes. */
int pci_memory_bar(const struct pci_access *access, struct pci_address at, unsigned bar,
                   uint64_t *base_hpa, uint64_t *size);

/* The same for a BAR of I/O ports. */
int pci_port_bar(const struct pci_access *access, struct pci_address at, unsigned bar,
                 uint16_t *first, uint16_t *count);

/* The BAR has 64 bits: the next one is its upper half, and no BAR of its own. */
bool pci_bar_is_wide(const struct pci_access *access, struct pci_address at, unsigned bar);

/* Switches on memory decoding and bus mastering; decoding of ports; the INTx pin or, where nobody takes
   its interrupt, not. */
void pci_enable(const struct pci_access *access, struct pci_address at, bool has_ports,
                bool has_interrupt);

/* Switches bus mastering off, and the INTx pin: the function reaches no memory any more. */
void pci_disable(const struct pci_access *access, struct pci_address at);

bool pci_is_network(const struct pci_function *function);

#endif
