// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/bus.h"

#include <string.h>

/* Index of the first range that ends after the address; bus->count: none. */
static unsigned first_ending_after(const struct bus *bus, uint64_t address)
{
    unsigned low = 0, high = bus->count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        const struct bus_range *r = &bus->ranges[middle];
        if (r->base + (r->size - 1) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct bus_range *find(struct bus *bus, uint64_t address)
{
    unsigned i = first_ending_after(bus, address);
    if (i < bus->count && bus->ranges[i].base <= address)
        return &bus->ranges[i];
    return NULL;
}

int bus_add(struct bus *bus, const struct bus_range *range)
{
    if (!range->size || range->base + (range->size - 1) < range->base || !range->read ||
        !range->write)
        return LEAT_EINVAL;
    if (bus->count == BUS_MAX_RANGES)
        return LEAT_ENOMEM;
    unsigned i = first_ending_after(bus, range->base);
    if (i < bus->count && bus->ranges[i].base <= range->base + (range->size - 1))
        return LEAT_EBUSY;
    memmove(&bus->ranges[i + 1], &bus->ranges[i], (bus->count - i) * sizeof(bus->ranges[0]));
    bus->ranges[i] = *range;
    bus->count++;
    return LEAT_OK;
}

int bus_remove(struct bus *bus, uint64_t base, const void *device)
{
    struct bus_range *r = find(bus, base);
    if (!r || r->base != base || r->device != device)
        return LEAT_ENOENT;
    unsigned i = (unsigned)(r - bus->ranges);
    bus->count--;
    memmove(r, r + 1, (bus->count - i) * sizeof(*r));
    return LEAT_OK;
}

uint64_t bus_read(struct bus *bus, uint64_t address, unsigned width)
{
    struct bus_range *r = find(bus, address);
    uint64_t mask = width >= 8 ? UINT64_MAX : (1ull << (width * 8)) - 1;
    return r ? r->read(r->device, address - r->base, width) & mask : mask;
}

void bus_write(struct bus *bus, uint64_t address, unsigned width, uint64_t value)
{
    struct bus_range *r = find(bus, address);
    uint64_t mask = width >= 8 ? UINT64_MAX : (1ull << (width * 8)) - 1;
    if (r)
        r->write(r->device, address - r->base, width, value & mask);
}
