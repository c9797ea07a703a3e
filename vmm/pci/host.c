// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/pci/pci.h"

#include <stdlib.h>
#include <string.h>
#include "vmm/irq.h"
#include "vmm/pci/msix.h"

/* Configuration mechanism 1: PCI Local Bus 3.0, 3.2.2.3.2 */
#define PORT_ADDRESS 0xcf8u
#define PORT_DATA 0xcfcu
#define ADDRESS_ENABLE (1u << 31)
#define ADDRESS_WRITABLE 0x80fffffcu

#define ECAM_FUNCTION_BYTES 4096u /* PCI Express 5.0, 7.2.2 */

/* The generic host bridge that PCI SIG's list names "QEMU PCIe Host bridge": any system knows it.
 */
static const struct pci_identity bridge_identity = {
    .vendor = 0x1b36, .device = 0x0008, .class_code = 0x060000};

/* The function that a bus/device/function number names, with bus in bits 15:8; NULL: nobody there.
 */
static struct pci_function *function_at(struct pci_host *host, uint32_t bdf)
{
    unsigned device = (bdf >> 3) & (PCI_DEVICES - 1);
    return (bdf >> 8) == 0 && (bdf & 7) == 0 ? host->functions[device] : NULL;
}

static uint64_t address_read(void *device, uint64_t offset, unsigned width)
{
    struct pci_host *host = device;
    return offset == 0 && width == 4 ? host->address : UINT64_MAX;
}

static void address_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct pci_host *host = device;
    if (offset == 0 && width == 4)
        host->address = (uint32_t)value & ADDRESS_WRITABLE;
}

static uint64_t data_read(void *device, uint64_t offset, unsigned width)
{
    struct pci_host *host = device;
    struct pci_function *f = function_at(host, (host->address >> 8) & 0xffff);
    if (!(host->address & ADDRESS_ENABLE) || !f || offset + width > 4)
        return UINT64_MAX;
    return pci_config_read(f, (host->address & 0xfc) + (unsigned)offset, width);
}

static void data_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct pci_host *host = device;
    struct pci_function *f = function_at(host, (host->address >> 8) & 0xffff);
    if (!(host->address & ADDRESS_ENABLE) || !f || offset + width > 4)
        return;
    pci_config_write(f, (host->address & 0xfc) + (unsigned)offset, width, value);
}

static uint64_t ecam_read(void *device, uint64_t offset, unsigned width)
{
    struct pci_function *f = function_at(device, (uint32_t)(offset / ECAM_FUNCTION_BYTES));
    return f ? pci_config_read(f, (unsigned)(offset % ECAM_FUNCTION_BYTES), width) : UINT64_MAX;
}

static void ecam_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct pci_function *f = function_at(device, (uint32_t)(offset / ECAM_FUNCTION_BYTES));
    if (f)
        pci_config_write(f, (unsigned)(offset % ECAM_FUNCTION_BYTES), width, value);
}

static void reset_function(struct pci_function *f)
{
    pci_bars_unmap(f);
    f->intx_wanted = false;
    memcpy(f->config, f->start, sizeof(f->config));
    if (f->msix)
        pci_msix_reset(f->msix);
    pci_intx_apply(f);
    if (f->ops && f->ops->bars_changed)
        f->ops->bars_changed(f->owner);
    if (f->ops && f->ops->reset)
        f->ops->reset(f->owner);
}

static void host_reset(void *context)
{
    struct pci_host *host = context;
    host->address = 0;
    for (unsigned i = 0; i < PCI_DEVICES; i++)
        if (host->functions[i])
            reset_function(host->functions[i]);
}

int pci_host_init(struct vm *vm)
{
    struct pci_host *host = calloc(1, sizeof(*host));
    if (!host)
        return LEAT_ENOMEM;
    host->vm = vm;
    host->io_next = LAYOUT_PCI_IO;
    host->memory_next = LAYOUT_PCI_MMIO;
    pci_function_init(&host->bridge, "PCI host bridge", &bridge_identity, NULL, NULL);
    memcpy(host->bridge.start, host->bridge.config, sizeof(host->bridge.start));
    host->bridge.host = host;
    host->functions[0] = &host->bridge;
    /* The address port is claimed as one byte: its neighbour 0xcf9 is the chipset's reset register.
     */
    const struct bus_range address = {.base = PORT_ADDRESS,
                                      .size = 1,
                                      .read = address_read,
                                      .write = address_write,
                                      .device = host,
                                      .name = "PCI configuration address"};
    const struct bus_range data = {.base = PORT_DATA,
                                   .size = 4,
                                   .read = data_read,
                                   .write = data_write,
                                   .device = host,
                                   .name = "PCI configuration data"};
    const struct bus_range ecam = {.base = LAYOUT_ECAM,
                                   .size = LAYOUT_ECAM_SIZE,
                                   .read = ecam_read,
                                   .write = ecam_write,
                                   .device = host,
                                   .name = "PCI configuration space"};
    int error = bus_add(&vm->ports, &address);
    if (!error)
        error = bus_add(&vm->ports, &data);
    if (!error)
        error = bus_add(&vm->mmio, &ecam);
    if (!error)
        error = vm_on_reset(vm, host_reset, host);
    if (!error)
        vm->pci = host;
    else
        free(host); /* ranges that were added stay: the VM cannot be started without a bridge */
    return error;
}

/* The next naturally aligned piece of a window; 0: full. */
static uint64_t take(uint64_t *next, uint64_t limit, uint64_t size)
{
    uint64_t base = (*next + size - 1) & ~(size - 1);
    if (base > limit || size > limit - base)
        return 0;
    *next = base + size;
    return base;
}

static int place_bars(struct pci_host *host, struct pci_function *f)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &f->bars[i];
        if (bar->kind == PCI_BAR_NONE)
            continue;
        bool is_io = bar->kind == PCI_BAR_IO;
        uint64_t base = is_io ? take(&host->io_next, LAYOUT_PCI_IO_END, bar->size)
                              : take(&host->memory_next, LAYOUT_PCI_MMIO_END, bar->size);
        if (!base)
            return LEAT_ENOMEM;
        unsigned at = PCI_BAR0 + 4 * i;
        pci_config_set(f, at, 4, (uint32_t)base | pci_config_get(f, at, 4));
        if (!is_io)
            pci_config_set(f, at + 4, 4, (uint32_t)(base >> 32));
    }
    return LEAT_OK;
}

int pci_host_plug(struct pci_host *host, struct pci_function *f, unsigned device)
{
    if (device == 0 || device >= PCI_DEVICES)
        return LEAT_EINVAL;
    if (host->functions[device])
        return LEAT_EBUSY;
    int error = place_bars(host, f);
    if (error)
        return error;
    if (f->config[PCI_INTERRUPT_PIN])
        f->config[PCI_INTERRUPT_LINE] = (uint8_t)LAYOUT_PCI_INTX_GSI(device, 0);
    memcpy(f->start, f->config, sizeof(f->start));
    f->device = device;
    f->host = host;
    host->functions[device] = f;
    return LEAT_OK;
}

void pci_host_bars_changed(struct pci_host *host)
{
    for (unsigned i = 0; i < PCI_DEVICES; i++)
        if (host->functions[i])
            (void)pci_bars_apply(host->functions[i]);
}

void pci_host_intx(struct pci_host *host, unsigned device, bool level)
{
    unsigned gsi = LAYOUT_PCI_INTX_GSI(device, 0);
    unsigned *sources = &host->intx_sources[gsi % PCI_INTX_LINES];
    *sources = level ? *sources + 1 : *sources - 1;
    irq_set_line(host->vm, gsi, *sources != 0);
}
