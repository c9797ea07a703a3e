// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/pci/msix.h"

#include <string.h>
#include "lib/assert.h"
#include "vmm/irq.h"
#include "vmm/pci/pci.h"

/* Message control: PCI Local Bus 3.0, 6.8.2.3 */
#define CONTROL_OFFSET 2u
#define CONTROL_MASK_ALL (1u << 14)
#define CONTROL_ENABLE (1u << 15)
#define ENTRY_BYTES 16u
#define ENTRY_MASKED 1u

static uint32_t message_control(const struct pci_msix *msix)
{
    return pci_config_get(msix->function, msix->capability + CONTROL_OFFSET, 2);
}

bool pci_msix_enabled(const struct pci_msix *msix)
{
    return message_control(msix) & CONTROL_ENABLE;
}

static bool is_masked(const struct pci_msix *msix, unsigned vector)
{
    return (message_control(msix) & CONTROL_MASK_ALL) ||
           (msix->table[vector].control & ENTRY_MASKED);
}

static void send(struct pci_msix *msix, unsigned vector)
{
    const struct pci_msix_entry *entry = &msix->table[vector];
    irq_send_msi(msix->function->host->vm, entry->address, entry->data);
}

void pci_msix_raise(struct pci_msix *msix, unsigned vector)
{
    if (vector >= msix->vectors || !pci_msix_enabled(msix))
        return;
    if (is_masked(msix, vector))
        msix->pending |= 1u << vector;
    else
        send(msix, vector);
}

static void send_pending(struct pci_msix *msix)
{
    uint32_t pending = msix->pending;
    while (pending) {
        unsigned vector = (unsigned)__builtin_ctz(pending);
        pending &= pending - 1;
        if (is_masked(msix, vector))
            continue;
        msix->pending &= ~(1u << vector);
        send(msix, vector);
    }
}

void pci_msix_control_written(struct pci_msix *msix)
{
    if (!pci_msix_enabled(msix))
        msix->pending = 0;
    send_pending(msix);
}

void pci_msix_reset(struct pci_msix *msix)
{
    msix->pending = 0;
    memset(msix->table, 0, sizeof(msix->table));
    for (unsigned i = 0; i < msix->vectors; i++)
        msix->table[i].control = ENTRY_MASKED;
}

/* One aligned doubleword of the BAR. Unused parts read as zero. */
static uint32_t read_dword(const struct pci_msix *msix, uint64_t offset)
{
    if (offset == PCI_MSIX_PBA_OFFSET)
        return msix->pending;
    uint64_t vector = offset / ENTRY_BYTES;
    if (vector >= msix->vectors)
        return 0;
    const struct pci_msix_entry *entry = &msix->table[vector];
    switch (offset % ENTRY_BYTES) {
    case 0:
        return (uint32_t)entry->address;
    case 4:
        return (uint32_t)(entry->address >> 32);
    case 8:
        return entry->data;
    default:
        return entry->control;
    }
}

static void write_dword(struct pci_msix *msix, uint64_t offset, uint32_t value)
{
    uint64_t vector = offset / ENTRY_BYTES;
    if (vector >= msix->vectors)
        return;
    struct pci_msix_entry *entry = &msix->table[vector];
    switch (offset % ENTRY_BYTES) {
    case 0:
        entry->address = (entry->address & ~0xffffffffull) | (value & ~3u);
        break;
    case 4:
        entry->address = (entry->address & 0xffffffffull) | (uint64_t)value << 32;
        break;
    case 8:
        entry->data = value;
        break;
    default:
        entry->control = value & ENTRY_MASKED;
        if (pci_msix_enabled(msix))
            send_pending(msix);
    }
}

static uint64_t bar_read(void *device, uint64_t offset, unsigned width)
{
    const struct pci_msix *msix = device;
    uint64_t aligned = offset & ~3ull;
    uint64_t value = read_dword(msix, aligned);
    if (aligned + 4 < PCI_MSIX_BAR_BYTES)
        value |= (uint64_t)read_dword(msix, aligned + 4) << 32;
    (void)width; /* the bus cuts the value; of an access across more than 8 bytes the end reads as 0
                  */
    return value >> (8 * (offset & 3));
}

/* Writes are whole doublewords or quadwords (6.8.2); anything else goes nowhere. */
static void bar_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct pci_msix *msix = device;
    if (width < 4 || offset % width != 0)
        return;
    write_dword(msix, offset, (uint32_t)value);
    if (width == 8)
        write_dword(msix, offset + 4, (uint32_t)(value >> 32));
}

void pci_msix_init(struct pci_msix *msix, struct pci_function *f, unsigned bar, unsigned vectors)
{
    LEAT_ASSERT(vectors >= 1 && vectors <= PCI_MSIX_MAX_VECTORS);
    msix->function = f;
    msix->vectors = vectors;
    pci_msix_reset(msix);
    struct {
        uint16_t control;
        uint32_t table, pba; /* offset and BAR index */
    } __attribute__((packed)) body = {(uint16_t)(vectors - 1), bar, PCI_MSIX_PBA_OFFSET | bar};
    msix->capability = pci_capability_add(f, PCI_CAP_MSIX, &body, 2 + sizeof(body));
    pci_config_allow(f, msix->capability + CONTROL_OFFSET, 2, CONTROL_MASK_ALL | CONTROL_ENABLE);
    pci_bar_add(f, bar, PCI_BAR_MEMORY_64, PCI_MSIX_BAR_BYTES, bar_read, bar_write, msix);
    f->msix = msix;
}
