// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/pci/function.h"

#include <string.h>
#include "lib/assert.h"
#include "vmm/pci/msix.h"
#include "vmm/pci/pci.h"

void pci_function_init(struct pci_function *f, const char *name,
                       const struct pci_identity *identity, const struct pci_function_ops *ops,
                       void *owner)
{
    memset(f, 0, sizeof(*f));
    f->name = name;
    f->ops = ops;
    f->owner = owner;
    f->capabilities_end = PCI_FIRST_FREE;
    pci_config_set(f, PCI_VENDOR_ID, 2, identity->vendor);
    pci_config_set(f, PCI_DEVICE_ID, 2, identity->device);
    pci_config_set(f, PCI_REVISION, 4, identity->class_code << 8 | identity->revision);
    pci_config_set(f, PCI_SUBSYSTEM_VENDOR_ID, 2, identity->subsystem_vendor);
    pci_config_set(f, PCI_SUBSYSTEM_ID, 2, identity->subsystem);
    pci_config_set(f, PCI_INTERRUPT_PIN, 1, identity->has_intx);
    pci_config_allow(f, PCI_COMMAND, 2,
                     PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |
                         (identity->has_intx ? PCI_COMMAND_NO_INTX : 0));
    pci_config_allow(f, PCI_INTERRUPT_LINE, 1, 0xff);
}

unsigned pci_capability_add(struct pci_function *f, uint8_t id, const void *body, unsigned length)
{
    unsigned at = f->capabilities_end;
    LEAT_ASSERT(length >= 2 && at + length <= PCI_CONFIG_BYTES);
    f->config[at] = id;
    f->config[at + 1] = 0;
    memcpy(&f->config[at + 2], body, length - 2);
    f->config[f->last_capability ? f->last_capability + 1 : (unsigned)PCI_CAPABILITIES] =
        (uint8_t)at;
    f->last_capability = at;
    f->capabilities_end = (at + length + 3) & ~3u;
    f->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    return at;
}

void pci_config_allow(struct pci_function *f, unsigned offset, unsigned width, uint32_t mask)
{
    LEAT_ASSERT(offset + width <= PCI_CONFIG_BYTES);
    for (unsigned i = 0; i < width; i++)
        f->writable[offset + i] |= (uint8_t)(mask >> (8 * i));
}

uint32_t pci_config_get(const struct pci_function *f, unsigned offset, unsigned width)
{
    uint32_t value = 0;
    LEAT_ASSERT(offset + width <= PCI_CONFIG_BYTES);
    for (unsigned i = 0; i < width; i++)
        value |= (uint32_t)f->config[offset + i] << (8 * i);
    return value;
}

void pci_config_set(struct pci_function *f, unsigned offset, unsigned width, uint32_t value)
{
    LEAT_ASSERT(offset + width <= PCI_CONFIG_BYTES);
    for (unsigned i = 0; i < width; i++)
        f->config[offset + i] = (uint8_t)(value >> (8 * i));
}

uint64_t pci_config_read(struct pci_function *f, unsigned offset, unsigned width)
{
    uint64_t value = 0;
    if (f->ops && f->ops->before_read)
        f->ops->before_read(f->owner, offset, width);
    for (unsigned i = 0; i < width && offset + i < PCI_CONFIG_BYTES; i++)
        value |= (uint64_t)f->config[offset + i] << (8 * i);
    return value;
}

static bool touches(unsigned offset, unsigned width, unsigned first, unsigned bytes)
{
    return offset < first + bytes && offset + width > first;
}

void pci_config_write(struct pci_function *f, unsigned offset, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width && offset + i < PCI_CONFIG_BYTES; i++) {
        uint8_t mask = f->writable[offset + i];
        uint8_t *byte = &f->config[offset + i];
        *byte = (uint8_t)((*byte & ~mask) | ((value >> (8 * i)) & mask));
    }
    if (touches(offset, width, PCI_COMMAND, 2) || touches(offset, width, PCI_BAR0, 4 * PCI_BARS)) {
        if (f->host && pci_bars_apply(f))
            pci_host_bars_changed(f->host);
    }
    if (f->msix)
        pci_msix_control_written(f->msix);
    pci_intx_apply(f);
    if (f->ops && f->ops->written)
        f->ops->written(f->owner, offset, width);
}

void pci_intx_set(struct pci_function *f, bool level)
{
    if (f->intx_wanted == level)
        return;
    f->intx_wanted = level;
    pci_intx_apply(f);
}

void pci_intx_apply(struct pci_function *f)
{
    if (f->intx_wanted)
        f->config[PCI_STATUS] |= PCI_STATUS_INTX;
    else
        f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    bool driven = f->intx_wanted && f->config[PCI_INTERRUPT_PIN] &&
                  !(pci_config_get(f, PCI_COMMAND, 2) & PCI_COMMAND_NO_INTX) &&
                  !(f->msix && pci_msix_enabled(f->msix));
    if (driven == f->intx_driven || !f->host)
        return;
    f->intx_driven = driven;
    pci_host_intx(f->host, f->device, driven);
}
