// SPDX-License-Identifier: BSD-2-Clause
/*
 * One PCI function: configuration space, BARs, capabilities, INTx.
 *
 * The owner embeds struct pci_function, fills it with pci_function_init, pci_bar_add,
 * pci_capability_add and pci_msix_init, and plugs it into a bus with pci_host_plug (pci.h). All
 * calls with the VM's lock held. Portable; tested on the host.
 */
#ifndef VMM_PCI_FUNCTION_H
#define VMM_PCI_FUNCTION_H

#include <leat/types.h>
#include "vmm/bus.h"
#include "vmm/pci/regs.h"

struct pci_host;
struct pci_function;
struct pci_msix;

enum pci_bar_kind { PCI_BAR_NONE = 0, PCI_BAR_IO, PCI_BAR_MEMORY_64 };

struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t size;        /* a power of two; I/O: 4..256 bytes, memory: 4 KiB and up */
    struct bus_range bus; /* what is put on the bus; .base counts while is_mapped */
    bool is_mapped;
};

/* What the owner of a function wants to know. Any may be NULL. */
struct pci_function_ops {
    /* The guest is about to read [offset, offset + width): the owner may refresh config[]. */
    void (*before_read)(void *owner, unsigned offset, unsigned width);
    /* The guest wrote there; config[] holds what the writable mask let through. */
    void (*written)(void *owner, unsigned offset, unsigned width);
    /* A BAR was mapped, moved or unmapped. */
    void (*bars_changed)(void *owner);
    /* The machine was reset; config[] and BARs have their start values already. */
    void (*reset)(void *owner);
};

struct pci_function {
    struct pci_host *host; /* NULL until plugged */
    const char *name;      /* for messages; must outlive the function */
    unsigned device;       /* number on the bus, 0..31 */
    uint8_t config[PCI_CONFIG_BYTES];
    uint8_t start[PCI_CONFIG_BYTES];    /* config[] as it was when plugged, for resets */
    uint8_t writable[PCI_CONFIG_BYTES]; /* bits that the guest may change */
    struct pci_bar bars[PCI_BARS];
    unsigned capabilities_end; /* first free byte */
    unsigned last_capability;  /* offset of the last one; 0: none */
    struct pci_msix *msix;     /* NULL: none */
    bool intx_wanted;          /* what the device asks for */
    bool intx_driven;          /* what it adds to the shared line */
    const struct pci_function_ops *ops;
    void *owner;
};

struct pci_identity {
    uint16_t vendor, device, subsystem_vendor, subsystem;
    uint32_t class_code; /* 24 bits: class, subclass, programming interface */
    uint8_t revision;
    bool has_intx; /* pin A */
};

void pci_function_init(struct pci_function *function, const char *name,
                       const struct pci_identity *identity, const struct pci_function_ops *ops,
                       void *owner);

/* Declares a BAR. A 64-bit BAR takes index and index + 1. The handlers get offsets from its base.
 */
void pci_bar_add(struct pci_function *function, unsigned index, enum pci_bar_kind kind,
                 uint64_t size, bus_read_fn read, bus_write_fn write, void *device);

/* Appends a capability of `length` bytes (with id and next); returns its offset. Content is copied
   from `body` (length - 2 bytes) and read-only until pci_config_allow. */
unsigned pci_capability_add(struct pci_function *function, uint8_t id, const void *body,
                            unsigned length);

/* Lets the guest write the bits of mask (little endian, width bytes) at offset. */
void pci_config_allow(struct pci_function *function, unsigned offset, unsigned width,
                      uint32_t mask);

/* Owner's view of config[], little endian; width 1, 2 or 4, inside the 256 bytes. */
uint32_t pci_config_get(const struct pci_function *function, unsigned offset, unsigned width);
void pci_config_set(struct pci_function *function, unsigned offset, unsigned width, uint32_t value);

/* The guest's accesses. Any offset and width 1..8: bytes behind the 256 read as zero. */
uint64_t pci_config_read(struct pci_function *function, unsigned offset, unsigned width);
void pci_config_write(struct pci_function *function, unsigned offset, unsigned width,
                      uint64_t value);

/* Where a BAR is decoded now; false: not at all (disabled, unset, or in the way of something else).
 */
bool pci_bar_base(const struct pci_function *function, unsigned index, uint64_t *base);

/* Makes the bus agree with command register and BARs; returns true if something changed. */
bool pci_bars_apply(struct pci_function *function);
void pci_bars_unmap(struct pci_function *function);

/* Level of the function's INTx pin, before the guest's disable bits. */
void pci_intx_set(struct pci_function *function, bool level);
/* Looks at the disable bits again (called on writes of the command register and MSI-X control). */
void pci_intx_apply(struct pci_function *function);

#endif
