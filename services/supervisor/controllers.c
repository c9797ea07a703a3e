// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/controllers.h"

#include <stdio.h>
#include <string.h>

#include "drivers/block/match.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/hardware.h"
#include "services/supervisor/machine.h"

#define DMA_BYTES (4ull << 20)
#define DMA_BYTES_LEAST (512ull << 10)
#define BAR_BYTES_MOST (1ull << 20) /* of a BAR only so much is mapped; drivers use its start */
#define CONFIG_BYTES 256u           /* PCI Local Bus 3.0, 6.1 */

static struct {
    unsigned count;
    struct pci_function functions[CONTROLLERS_MOST];
    const struct block_match *matches[CONTROLLERS_MOST];
    struct hardware_dma dma;
} found;

unsigned controllers_find(void)
{
    const struct pci_list *list = machine_pci_list();

    for (unsigned i = 0; list != NULL && i < list->count && found.count < CONTROLLERS_MOST; i++) {
        const struct pci_function *f = &list->functions[i];
        const struct block_pci_id id = {f->vendor, f->device,
                                        (uint32_t)f->class_code << 16 | (uint32_t)f->subclass << 8 |
                                            f->prog_if};
        const struct block_match *match = block_match_find(&id);

        if (match != NULL) {
            found.functions[found.count] = *f;
            found.matches[found.count++] = match;
        }
    }
    return found.count;
}

/* The name of an entry: which controller it belongs to. */
static struct leat_start_entry *entry_of(struct process *storage, unsigned number, const char *role)
{
    char name[8];

    snprintf(name, sizeof(name), "%u", number);
    return process_entry(storage, role, name);
}

static bool give_memory(struct process *storage, unsigned number, unsigned region, uint64_t base,
                        uint64_t size)
{
    /* A BAR of less than a page brings the registers of its neighbours along. */
    uint64_t start = base & ~(LEAT_PAGE_SIZE - 1);
    uint64_t bytes = size < BAR_BYTES_MOST ? size : BAR_BYTES_MOST;
    uint64_t whole = (base - start + bytes + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    int64_t mem = leat_mem_create_phys(machine_handle(), start, whole, LEAT_CACHE_UC);
    struct leat_start_entry *entry = entry_of(storage, number, "mmio");
    uint64_t va = 0;

    if (mem > 0) {
        va = process_map(storage, (leat_handle_t)mem, whole, LEAT_PROT_READ | LEAT_PROT_WRITE);
        leat_handle_close((leat_handle_t)mem);
    }
    if (va == 0 || entry == NULL) {
        return false;
    }
    entry->va = va + (base - start);
    entry->size = bytes;
    entry->arg[0] = base;
    entry->arg[1] = region;
    return true;
}

static bool give_ports(struct process *storage, unsigned number, unsigned region, uint16_t first,
                       uint16_t count)
{
    int64_t ports = leat_ports_create(machine_handle(), first, count);
    struct leat_start_entry *entry = entry_of(storage, number, "ports");

    if (ports <= 0 || entry == NULL) {
        return false;
    }
    entry->handle = hardware_grant(storage, ports, LEAT_RIGHT_CONTROL);
    entry->arg[0] = first;
    entry->arg[1] = region;
    entry->size = count;
    leat_handle_close((leat_handle_t)ports);
    return entry->handle != 0;
}

static bool give_bar(struct process *storage, unsigned number, unsigned bar, bool *has_ports)
{
    struct pci_address at = found.functions[number].at;
    uint64_t base, size;
    uint16_t first, count;

    if (pci_memory_bar(machine_pci(), at, bar, &base, &size) == LEAT_OK) {
        return give_memory(storage, number, bar, base, size);
    }
    if (pci_port_bar(machine_pci(), at, bar, &first, &count) == LEAT_OK) {
        *has_ports = true;
        return give_ports(storage, number, bar, first, count);
    }
    return true; /* the function has none; its driver knows whether it can do without */
}

/* False: somebody else has the line, or firmware has routed none. The service then looks by itself. */
static bool give_irq(struct process *storage, unsigned number, unsigned gsi, uint32_t flags)
{
    uint64_t bit = process_take_bit(storage);
    int64_t irq = gsi == 0 || gsi == 255 || bit == 0
                      ? LEAT_ENOENT
                      : leat_irq_bind(machine_handle(), gsi, flags, storage->notif, bit);
    struct leat_start_entry *entry = irq > 0 ? entry_of(storage, number, "irq") : NULL;

    if (entry != NULL) {
        entry->handle = hardware_grant(storage, irq, LEAT_RIGHT_CONTROL);
        entry->my_bits = bit;
        entry->arg[0] = gsi;
    } else {
        process_return_bits(storage, bit);
    }
    if (irq > 0) {
        leat_handle_close((leat_handle_t)irq);
    }
    return entry != NULL && entry->handle != 0;
}

static bool give_irqs(struct process *storage, unsigned number)
{
    const struct block_match *match = found.matches[number];
    const struct pci_function *f = &found.functions[number];
    bool has_all = true;

    if (match->isa_irqs[0] == 0) {
        return give_irq(storage, number, f->irq_line, LEAT_IRQ_LEVEL | LEAT_IRQ_ACTIVE_LOW);
    }
    for (unsigned i = 0; i < sizeof(match->isa_irqs); i++) {
        has_all &= match->isa_irqs[i] == 0 || give_irq(storage, number, match->isa_irqs[i], 0);
    }
    return has_all;
}

/* What firmware has written there; the service has no way to the configuration space itself. */
static void give_config(struct process *storage, unsigned number)
{
    const struct pci_access *pci = machine_pci();
    char text[CONFIG_BYTES * 2 + 1];

    for (unsigned i = 0; i < CONFIG_BYTES; i += 4) {
        snprintf(text + i * 2, 9, "%08x", pci->read(pci->context, found.functions[number].at, i));
    }
    process_argument(storage, "config.%u=%s", number, text);
}

static bool give(struct process *storage, unsigned number)
{
    const struct block_match *match = found.matches[number];
    const struct pci_function *f = &found.functions[number];
    bool has_ports = false, is_given = true, has_irqs;

    for (unsigned bar = 0; bar < 6; bar++) {
        if (match->bars >> bar & 1) {
            is_given &= give_bar(storage, number, bar, &has_ports);
        }
        bar += pci_bar_is_wide(machine_pci(), f->at, bar); /* the next one is its upper half */
    }
    for (unsigned i = 0; i < sizeof(match->ports) / sizeof(match->ports[0]); i++) {
        if (match->ports[i].count != 0) {
            has_ports = true;
            is_given &=
                give_ports(storage, number, 6 + i, match->ports[i].first, match->ports[i].count);
        }
    }
    if (!is_given) {
        leat_log("storage controller %04x:%04x at %02x:%02x.%x: its registers are not to be had",
                 f->vendor, f->device, f->at.bus, f->at.device, f->at.function);
        return false;
    }
    has_irqs = give_irqs(storage, number);
    give_config(storage, number);
    process_argument(storage, "driver.%u=%s", number, match->driver);
    process_argument(storage, "place.%u=%02x:%02x.%x", number, f->at.bus, f->at.device,
                     f->at.function);
    process_argument(storage, "polled.%u=%d", number, !has_irqs);
    pci_enable(machine_pci(), f->at, has_ports, has_irqs);
    return true;
}

int controllers_give(struct process *storage)
{
    unsigned given = 0;

    for (unsigned i = 0; i < found.count; i++) {
        given += give(storage, i);
    }
    if (given == 0) {
        return LEAT_EIO;
    }
    return hardware_give_dma(storage, &found.dma, DMA_BYTES, DMA_BYTES_LEAST);
}

void controllers_off(void)
{
    for (unsigned i = 0; i < found.count; i++) {
        pci_disable(machine_pci(), found.functions[i].at);
    }
}
