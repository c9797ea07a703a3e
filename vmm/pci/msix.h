// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSI-X of one function: PCI Local Bus 3.0, 6.8.2. Table and pending bits lie in a 4 KiB memory BAR
 * of their own. With the VM's lock held. Portable.
 */
#ifndef VMM_PCI_MSIX_H
#define VMM_PCI_MSIX_H

#include "vmm/pci/function.h"

#define PCI_MSIX_MAX_VECTORS 32u
#define PCI_MSIX_BAR_BYTES 4096u
#define PCI_MSIX_PBA_OFFSET 2048u

struct pci_msix_entry { /* as the guest sees it */
    uint64_t address;
    uint32_t data;
    uint32_t control; /* bit 0: masked */
};

struct pci_msix {
    struct pci_function *function;
    unsigned vectors;
    unsigned capability; /* offset in configuration space */
    uint32_t pending;    /* one bit a vector */
    struct pci_msix_entry table[PCI_MSIX_MAX_VECTORS];
};

/* Adds capability and BAR (bar and bar + 1) to a function that is not plugged yet. */
void pci_msix_init(struct pci_msix *msix, struct pci_function *function, unsigned bar,
                   unsigned vectors);

bool pci_msix_enabled(const struct pci_msix *msix);

/* Sends the vector's message, or sets its pending bit while masked. Vectors out of range, and a
   disabled MSI-X: nothing happens. */
void pci_msix_raise(struct pci_msix *msix, unsigned vector);

/* After a write to configuration space: follows enable and function mask. */
void pci_msix_control_written(struct pci_msix *msix);
void pci_msix_reset(struct pci_msix *msix);

#endif
