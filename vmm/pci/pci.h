// SPDX-License-Identifier: BSD-2-Clause
/*
 * The PCI host bridge: bus 0 with up to 32 single-function devices, reached by ports 0xcf8/0xcfc
 * and by ECAM, at the places that vmm/layout.h names. Device 0 is the bridge itself. All calls with
 * the VM's lock held, or before the VM runs. Portable.
 */
#ifndef VMM_PCI_PCI_H
#define VMM_PCI_PCI_H

#include "vmm/pci/function.h"
#include "vmm/vm.h"

#define PCI_DEVICES 32u
#define PCI_INTX_LINES 8u

struct pci_host {
    struct vm *vm;
    uint32_t address; /* port 0xcf8 */
    struct pci_function *functions[PCI_DEVICES];
    struct pci_function bridge;
    uint64_t io_next, memory_next;         /* start addresses not given out yet */
    unsigned intx_sources[PCI_INTX_LINES]; /* functions that drive each line */
};

/* Puts bridge, ports and ECAM on the VM's buses, sets vm->pci, joins the VM's resets. LEAT_ENOMEM,
   or LEAT_EBUSY when the ports or the ECAM range are taken. Port 0xcf9 stays free. */
int pci_host_init(struct vm *vm);

/* Puts a finished function on the bus as `device` 1..31, and gives its BARs their start addresses,
   as firmware would (decoding stays off until the guest turns it on). LEAT_EBUSY, LEAT_EINVAL, or
   LEAT_ENOMEM when the BAR windows are full. */
int pci_host_plug(struct pci_host *host, struct pci_function *function, unsigned device);

/* -- for function.c, bar.c and msix.c -- */

/* Some BAR is gone from a bus: others that it was in the way of may come. */
void pci_host_bars_changed(struct pci_host *host);
/* A function begins or ends to drive its interrupt line. */
void pci_host_intx(struct pci_host *host, unsigned device, bool level);

#endif
