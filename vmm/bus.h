// SPDX-License-Identifier: BSD-2-Clause
/*
 * An address space of devices: one for I/O ports, one for MMIO. Ranges come and go as the guest
 * moves PCI BARs. All calls are made with the VM's lock held (vm.h). Portable; tested on the host.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <leat/types.h>

#define BUS_MAX_RANGES 96

/* offset: from the range's base. width: 1, 2, 4 or 8 bytes. An access may start in the range and
   run past its end: the device must check. Unclaimed reads give all ones; unclaimed writes go
   nowhere. */
typedef uint64_t (*bus_read_fn)(void *device, uint64_t offset, unsigned width);
typedef void (*bus_write_fn)(void *device, uint64_t offset, unsigned width, uint64_t value);

struct bus_range {
    uint64_t base, size;
    bus_read_fn read;
    bus_write_fn write;
    void *device;
    const char *name; /* for messages */
};

struct bus {
    unsigned count;
    struct bus_range ranges[BUS_MAX_RANGES]; /* sorted by base */
};

int bus_add(struct bus *bus, const struct bus_range *range); /* LEAT_EBUSY: overlaps; LEAT_ENOMEM */
int bus_remove(struct bus *bus, uint64_t base, const void *device); /* LEAT_ENOENT */
uint64_t bus_read(struct bus *bus, uint64_t address, unsigned width);
void bus_write(struct bus *bus, uint64_t address, unsigned width, uint64_t value);

#endif
