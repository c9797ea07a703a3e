// SPDX-License-Identifier: BSD-2-Clause
/* Base address registers: PCI Local Bus 3.0, 6.2.5.1. */
#include "lib/assert.h"
#include "vmm/pci/function.h"
#include "vmm/pci/pci.h"

/* Nothing is decoded above what any of our guests' physical addresses reach. A guest that sizes a
   BAR while decoding is on writes all ones, which lies above. */
#define MEMORY_LIMIT (1ull << 46)
#define IO_LIMIT 0x10000ull

static unsigned bar_register(unsigned index)
{
    return PCI_BAR0 + 4 * index;
}

void pci_bar_add(struct pci_function *f, unsigned index, enum pci_bar_kind kind, uint64_t size,
                 bus_read_fn read, bus_write_fn write, void *device)
{
    bool is_io = kind == PCI_BAR_IO;
    LEAT_ASSERT(index < PCI_BARS && (is_io || index + 1 < PCI_BARS));
    LEAT_ASSERT((size & (size - 1)) == 0 && size >= (is_io ? 4 : LEAT_PAGE_SIZE));
    struct pci_bar *bar = &f->bars[index];
    bar->kind = kind;
    bar->size = size;
    bar->bus = (struct bus_range){
        .size = size, .read = read, .write = write, .device = device, .name = f->name};
    uint64_t mask = ~(size - 1);
    pci_config_set(f, bar_register(index), 4, is_io ? PCI_BAR_IS_IO : PCI_BAR_IS_64_BIT);
    pci_config_allow(f, bar_register(index), 4, (uint32_t)mask);
    if (!is_io)
        pci_config_allow(f, bar_register(index + 1), 4, (uint32_t)(mask >> 32));
    pci_config_allow(f, PCI_COMMAND, 2, is_io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY);
}

/* Where the guest wants the BAR; false: nowhere. */
static bool wanted_base(const struct pci_function *f, unsigned index, uint64_t *base)
{
    const struct pci_bar *bar = &f->bars[index];
    uint32_t command = pci_config_get(f, PCI_COMMAND, 2);
    uint64_t value = pci_config_get(f, bar_register(index), 4);
    uint64_t limit = IO_LIMIT;
    if (bar->kind == PCI_BAR_IO) {
        if (!(command & PCI_COMMAND_IO))
            return false;
    } else {
        if (!(command & PCI_COMMAND_MEMORY))
            return false;
        value |= (uint64_t)pci_config_get(f, bar_register(index + 1), 4) << 32;
        limit = MEMORY_LIMIT;
    }
    *base = value & ~(bar->size - 1);
    return *base != 0 && *base < limit && bar->size <= limit - *base;
}

static struct bus *bus_of(const struct pci_function *f, const struct pci_bar *bar)
{
    return bar->kind == PCI_BAR_IO ? &f->host->vm->ports : &f->host->vm->mmio;
}

static void unmap(struct pci_function *f, struct pci_bar *bar)
{
    int error = bus_remove(bus_of(f, bar), bar->bus.base, bar->bus.device);
    LEAT_ASSERT(error == LEAT_OK);
    bar->is_mapped = false;
}

bool pci_bars_apply(struct pci_function *f)
{
    bool changed = false;
    bool wanted[PCI_BARS] = {false};
    uint64_t base[PCI_BARS] = {0};
    for (unsigned i = 0; i < PCI_BARS; i++) { /* first make room, then take it */
        struct pci_bar *bar = &f->bars[i];
        if (bar->kind == PCI_BAR_NONE)
            continue;
        wanted[i] = wanted_base(f, i, &base[i]);
        if (bar->is_mapped && (!wanted[i] || base[i] != bar->bus.base)) {
            unmap(f, bar);
            changed = true;
        }
    }
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &f->bars[i];
        if (!wanted[i] || bar->is_mapped)
            continue;
        bar->bus.base = base[i];
        if (bus_add(bus_of(f, bar), &bar->bus) == LEAT_OK) {
            bar->is_mapped = true;
            changed = true;
        } /* else something else is there: the BAR stays dark until that or the BAR moves */
    }
    if (changed && f->ops && f->ops->bars_changed)
        f->ops->bars_changed(f->owner);
    return changed;
}

void pci_bars_unmap(struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (f->bars[i].is_mapped)
            unmap(f, &f->bars[i]);
}

bool pci_bar_base(const struct pci_function *f, unsigned index, uint64_t *base)
{
    *base = f->bars[index].bus.base;
    return f->bars[index].is_mapped;
}
