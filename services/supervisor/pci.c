// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/pci.h"

#include <string.h>

/* PCI Local Bus 3.0, 6.1 and 6.2: offsets in configuration space. */
enum {
    PCI_ID = 0x00,
    PCI_COMMAND = 0x04,
    PCI_CLASS = 0x08,
    PCI_HEADER = 0x0c,
    PCI_BAR0 = 0x10,
    PCI_BUS_NUMBERS = 0x18, /* of a bridge: PCI-to-PCI Bridge 1.2, 3.2 */
    PCI_INTERRUPT = 0x3c,
};
enum {
    COMMAND_IO = 1u << 0,
    COMMAND_MEMORY = 1u << 1,
    COMMAND_MASTER = 1u << 2,
    COMMAND_INTX_OFF = 1u << 10,
};
enum { CLASS_NETWORK = 0x02, CLASS_BRIDGE = 0x06, SUBCLASS_PCI_BRIDGE = 0x04 };
#define STATUS_BITS 0xffff0000u /* upper half of PCI_COMMAND: ones would clear them */

struct scan {
    const struct pci_access *access;
    struct pci_list *list;
    uint64_t seen[4]; /* buses; a loop of bridges must end */
    uint8_t todo[256];
    unsigned todo_count;
};

static void add_bus(struct scan *scan, uint8_t bus)
{
    uint64_t bit = 1ull << (bus % 64);

    if ((scan->seen[bus / 64] & bit) == 0) {
        scan->seen[bus / 64] |= bit;
        scan->todo[scan->todo_count++] = bus;
    }
}

/* Returns the header type, 0xff where there is no function. */
static uint8_t scan_function(struct scan *scan, struct pci_address at)
{
    const struct pci_access *a = scan->access;
    uint32_t id = a->read(a->context, at, PCI_ID);
    uint32_t class_code, interrupt;
    uint8_t header;
    struct pci_function *f;

    if ((id & 0xffff) == 0xffff || id == 0) {
        return 0xff;
    }
    class_code = a->read(a->context, at, PCI_CLASS);
    header = (uint8_t)(a->read(a->context, at, PCI_HEADER) >> 16);
    interrupt = a->read(a->context, at, PCI_INTERRUPT);
    if ((header & 0x7f) == 1 && class_code >> 24 == CLASS_BRIDGE &&
        (uint8_t)(class_code >> 16) == SUBCLASS_PCI_BRIDGE) {
        add_bus(scan, (uint8_t)(a->read(a->context, at, PCI_BUS_NUMBERS) >> 8));
    }
    if (scan->list->count == PCI_MAX_FUNCTIONS) {
        scan->list->is_cut = true;
        return header;
    }
    f = &scan->list->functions[scan->list->count++];
    f->at = at;
    f->vendor = (uint16_t)id;
    f->device = (uint16_t)(id >> 16);
    f->class_code = (uint8_t)(class_code >> 24);
    f->subclass = (uint8_t)(class_code >> 16);
    f->prog_if = (uint8_t)(class_code >> 8);
    f->irq_line = (uint8_t)interrupt;
    f->irq_pin = (uint8_t)(interrupt >> 8);
    return header;
}

static void scan_bus(struct scan *scan, uint8_t bus)
{
    for (unsigned device = 0; device < 32; device++) {
        struct pci_address at = {bus, (uint8_t)device, 0};
        uint8_t header = scan_function(scan, at);

        if (header == 0xff || (header & 0x80) == 0) {
            continue;
        }
        for (unsigned function = 1; function < 8; function++) {
            at.function = (uint8_t)function;
            scan_function(scan, at);
        }
    }
}

void pci_scan(const struct pci_access *access, struct pci_list *list)
{
    struct scan scan = {.access = access, .list = list};

    memset(list, 0, sizeof(*list));
    add_bus(&scan, 0);
    while (scan.todo_count != 0) {
        scan_bus(&scan, scan.todo[--scan.todo_count]);
    }
}

/* What sticks of all ones; the register is put back. */
static uint32_t probe(const struct pci_access *a, struct pci_address at, unsigned offset)
{
    uint32_t old = a->read(a->context, at, offset);
    uint32_t mask;

    a->write(a->context, at, offset, 0xffffffffu);
    mask = a->read(a->context, at, offset);
    a->write(a->context, at, offset, old);
    return mask;
}

int pci_memory_bar(const struct pci_access *a, struct pci_address at, unsigned bar,
                   uint64_t *base_hpa, uint64_t *size)
{
    unsigned offset = PCI_BAR0 + 4 * bar;
    uint32_t command = a->read(a->context, at, PCI_COMMAND) & ~STATUS_BITS;
    uint32_t low = a->read(a->context, at, offset);
    bool is_64 = (low & 6) == 4;
    uint64_t base = low & ~0xfull;
    uint64_t mask;

    if (bar > 5 || (low & 1) != 0 || (is_64 && bar == 5)) {
        return LEAT_ENOENT;
    }
    a->write(a->context, at, PCI_COMMAND, command & ~(uint32_t)(COMMAND_IO | COMMAND_MEMORY));
    mask = probe(a, at, offset) & ~0xfull;
    if (is_64) {
        base |= (uint64_t)a->read(a->context, at, offset + 4) << 32;
        mask |= (uint64_t)probe(a, at, offset + 4) << 32;
    } else {
        mask |= 0xffffffffull << 32;
    }
    a->write(a->context, at, PCI_COMMAND, command);
    if ((uint32_t)mask == 0 || base == 0) {
        return LEAT_ENOENT;
    }
    *base_hpa = base;
    *size = ~mask + 1;
    return LEAT_OK;
}

int pci_port_bar(const struct pci_access *a, struct pci_address at, unsigned bar, uint16_t *first,
                 uint16_t *count)
{
    unsigned offset = PCI_BAR0 + 4 * bar;
    uint32_t command = a->read(a->context, at, PCI_COMMAND) & ~STATUS_BITS;
    uint32_t low = a->read(a->context, at, offset);
    uint32_t mask;

    if (bar > 5 || (low & 1) == 0 || (low & 0xfffc) == 0 || low >> 16 != 0) {
        return LEAT_ENOENT;
    }
    a->write(a->context, at, PCI_COMMAND, command & ~(uint32_t)(COMMAND_IO | COMMAND_MEMORY));
    mask = probe(a, at, offset) & 0xfffc;
    a->write(a->context, at, PCI_COMMAND, command);
    if (mask == 0) {
        return LEAT_ENOENT;
    }
    *first = (uint16_t)(low & 0xfffc);
    *count = (uint16_t)(~mask + 1); /* the PC has 16 bits of ports, whatever the upper half says */
    return LEAT_OK;
}

bool pci_bar_is_wide(const struct pci_access *a, struct pci_address at, unsigned bar)
{
    return bar < 5 && (a->read(a->context, at, PCI_BAR0 + 4 * bar) & 7) == 4;
}

static void set_command(const struct pci_access *a, struct pci_address at, uint32_t set,
                        uint32_t clear)
{
    uint32_t command = a->read(a->context, at, PCI_COMMAND) & ~STATUS_BITS;

    a->write(a->context, at, PCI_COMMAND, (command | set) & ~clear);
}

void pci_enable(const struct pci_access *a, struct pci_address at, bool has_ports,
                bool has_interrupt)
{
    uint32_t set = COMMAND_MEMORY | COMMAND_MASTER | (has_ports ? COMMAND_IO : 0);

    if (has_interrupt) {
        set_command(a, at, set, COMMAND_INTX_OFF);
    } else {
        set_command(a, at, set | COMMAND_INTX_OFF, 0);
    }
}

void pci_disable(const struct pci_access *a, struct pci_address at)
{
    set_command(a, at, COMMAND_INTX_OFF, COMMAND_MASTER);
}

bool pci_is_network(const struct pci_function *function)
{
    return function->class_code == CLASS_NETWORK;
}
