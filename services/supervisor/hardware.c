// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/hardware.h"

#include <stdio.h>
#include <string.h>

#include "drivers/net/e1000.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/machine.h"

/* The PC's first serial port, and its keyboard controller. */
enum { COM1_PORT = 0x3f8, COM1_PORTS = 8, COM1_GSI = 4 };
enum { KEYBOARD_DATA_PORT = 0x60, KEYBOARD_STATUS_PORT = 0x64, KEYBOARD_GSI = 1 };

#define DMA_BYTES (4ull << 20)
#define DMA_BYTES_LEAST (2ull << 20) /* what net needs is a little more than 1 MiB */
#define BAR0_BYTES_MOST (1ull << 20) /* 128 KiB in all known cards */

static struct {
    bool is_found;
    struct pci_function function;
    uint64_t base_hpa, size;
    struct hardware_dma dma;
} nic;

uint32_t hardware_grant(struct process *process, int64_t handle, uint32_t rights)
{
    int64_t theirs = leat_handle_grant(process->domain, (leat_handle_t)handle, rights);

    return theirs > 0 ? (uint32_t)theirs : 0;
}

static bool give_ports(struct process *console, const char *name, uint16_t first, unsigned count)
{
    int64_t ports = leat_ports_create(machine_handle(), first, count);
    struct leat_start_entry *entry = ports > 0 ? process_entry(console, "ports", name) : NULL;

    if (entry == NULL) {
        leat_log("console: the kernel gives no ports for '%s' (error %d)", name, (int)ports);
        return false;
    }
    entry->handle = hardware_grant(console, ports, LEAT_RIGHT_CONTROL);
    entry->arg[0] = first;
    entry->arg[1] = count;
    return true;
}

/* ISA interrupts: edge-triggered, active high. */
static void give_interrupt(struct process *console, const char *name, unsigned gsi)
{
    uint64_t bit = process_take_bit(console);
    int64_t irq = leat_irq_bind(machine_handle(), gsi, 0, console->notif, bit);
    struct leat_start_entry *entry = irq > 0 ? process_entry(console, "irq", name) : NULL;

    if (entry == NULL) {
        leat_log("console: the kernel gives no interrupt for '%s' (error %d)", name, (int)irq);
        return;
    }
    entry->handle = hardware_grant(console, irq, LEAT_RIGHT_CONTROL);
    entry->my_bits = bit;
    entry->arg[0] = gsi;
}

static void give_framebuffer(struct process *console)
{
    const struct leat_framebuffer *fb = &machine_boot_info()->framebuffer;
    uint64_t start = fb->base_hpa & ~(LEAT_PAGE_SIZE - 1);
    uint64_t size = (fb->base_hpa - start + fb->size + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    struct leat_start_entry *entry;
    int64_t mem;
    uint64_t va;

    if (fb->base_hpa == 0) {
        return;
    }
    mem = leat_mem_create_phys(machine_handle(), start, size, LEAT_CACHE_WC);
    va = mem > 0 ? process_map(console, (leat_handle_t)mem, size, LEAT_PROT_READ | LEAT_PROT_WRITE)
                 : 0;
    if (mem > 0) {
        leat_handle_close((leat_handle_t)mem);
    }
    if (va == 0 || (entry = process_entry(console, "mmio", "framebuffer")) == NULL) {
        leat_log("the screen cannot be used: its memory at 0x%llx is not to be had",
                 (unsigned long long)fb->base_hpa);
        return;
    }
    entry->va = va + (fb->base_hpa - start);
    entry->size = fb->size;
    entry->arg[0] = fb->width | (uint64_t)fb->height << 32;
    entry->arg[1] = fb->pixels_per_scan_line;
    entry->arg[2] = fb->red_mask | (uint64_t)fb->green_mask << 32;
    entry->arg[3] = fb->blue_mask;
}

static void give_font(struct process *console)
{
    const struct leat_boot_module *module = machine_module(LEAT_MODULE_DATA, "font.psf");
    struct leat_start_entry *entry;
    int64_t mem;
    uint64_t va;

    if (module == NULL) {
        return;
    }
    mem = machine_module_mem(module);
    va = mem > 0 ? process_map(console, (leat_handle_t)mem, module->size, LEAT_PROT_READ) : 0;
    if (mem > 0) {
        leat_handle_close((leat_handle_t)mem);
    }
    if (va != 0 && (entry = process_entry(console, "file", "font.psf")) != NULL) {
        entry->va = va;
        entry->size = module->size;
    }
}

void hardware_give_console(struct process *console, uint64_t kernel_log_bit)
{
    struct leat_start_entry *entry = process_entry(console, "machine", "");

    if (entry != NULL) {
        entry->handle = hardware_grant(console, machine_handle(), LEAT_RIGHT_READ);
        entry->my_bits = kernel_log_bit;
    }
    if (give_ports(console, "com1", COM1_PORT, COM1_PORTS)) {
        give_interrupt(console, "com1", COM1_GSI);
    }
    if (give_ports(console, "keyboard-data", KEYBOARD_DATA_PORT, 1) &&
        give_ports(console, "keyboard-status", KEYBOARD_STATUS_PORT, 1)) {
        give_interrupt(console, "keyboard", KEYBOARD_GSI);
    }
    give_framebuffer(console);
    give_font(console);
}

/* "8086:10d3 at 00:03.0, ..." */
static void describe_network(const struct pci_list *list, char *text, size_t size)
{
    size_t length = 0;

    text[0] = 0;
    for (unsigned i = 0; i < list->count && length + 1 < size; i++) {
        const struct pci_function *f = &list->functions[i];

        if (pci_is_network(f)) {
            length += (size_t)snprintf(text + length, size - length, "%s%04x:%04x at %02x:%02x.%x",
                                       length == 0 ? "" : ", ", f->vendor, f->device, f->at.bus,
                                       f->at.device, f->at.function);
        }
    }
}

bool hardware_find_nic(void)
{
    const struct pci_list *list = machine_pci_list();
    char found[160];

    if (list == NULL) {
        leat_log("no network: the kernel gives no PCI configuration ports");
        return false;
    }
    for (unsigned i = 0; i < list->count && !nic.is_found; i++) {
        nic.function = list->functions[i];
        nic.is_found = e1000_is_supported(nic.function.vendor, nic.function.device);
    }
    if (nic.is_found) {
        return true;
    }
    describe_network(list, found, sizeof(found));
    leat_log("no known network card: of %u PCI devices these are network controllers: %s; known "
             "are Intel's 82540EM (8086:100e) and its relatives",
             list->count, found[0] != 0 ? found : "none");
    return false;
}

static int give_registers(struct process *net)
{
    struct leat_start_entry *entry;
    int64_t mem;

    if (pci_memory_bar(machine_pci(), nic.function.at, 0, &nic.base_hpa, &nic.size) != LEAT_OK ||
        nic.size > BAR0_BYTES_MOST) {
        leat_log("network card at %02x:%02x.%x: the firmware has not given it memory addresses",
                 nic.function.at.bus, nic.function.at.device, nic.function.at.function);
        return LEAT_EIO;
    }
    mem = leat_mem_create_phys(machine_handle(), nic.base_hpa, nic.size, LEAT_CACHE_UC);
    entry = process_entry(net, "mmio", "nic");
    if (mem <= 0 || entry == NULL) {
        leat_log("network card: its registers at 0x%llx are not to be had (error %d)",
                 (unsigned long long)nic.base_hpa, (int)mem);
        return LEAT_EIO;
    }
    entry->va = process_map(net, (leat_handle_t)mem, nic.size, LEAT_PROT_READ | LEAT_PROT_WRITE);
    entry->size = nic.size;
    entry->arg[0] = nic.base_hpa;
    entry->arg[1] = (uint64_t)nic.function.vendor << 16 | nic.function.device;
    leat_handle_close((leat_handle_t)mem);
    return entry->va != 0 ? LEAT_OK : LEAT_ENOMEM;
}

/* The firmware's routing of INTA to an ISA line, which the IO-APIC sees at the pin of the same
   number. PCI interrupts are level-triggered and active low (PCI Local Bus 3.0, 2.2.6). */
static int give_irq(struct process *net)
{
    uint64_t bit = process_take_bit(net);
    struct leat_start_entry *entry = process_entry(net, "irq", "nic");
    unsigned gsi = nic.function.irq_line;
    int64_t irq;

    if (gsi == 0 || gsi == 255 || entry == NULL) {
        leat_log("network card: the firmware has routed no interrupt for it (line %u)", gsi);
        return LEAT_EIO;
    }
    irq =
        leat_irq_bind(machine_handle(), gsi, LEAT_IRQ_LEVEL | LEAT_IRQ_ACTIVE_LOW, net->notif, bit);
    if (irq <= 0) {
        leat_log("network card: interrupt %u is not to be had (error %d)", gsi, (int)irq);
        return LEAT_EIO;
    }
    entry->handle = hardware_grant(net, irq, LEAT_RIGHT_CONTROL);
    entry->my_bits = bit;
    entry->arg[0] = gsi;
    leat_handle_close((leat_handle_t)irq);
    return entry->handle != 0 ? LEAT_OK : LEAT_ENOMEM;
}

static void make_dma(struct hardware_dma *dma, uint64_t most, uint64_t least)
{
    dma->size = most * 2;
    while (dma->mem <= 0 && dma->size > least) {
        dma->size /= 2;
        dma->mem = leat_mem_create(dma->size, LEAT_MEM_CONTIGUOUS);
    }
}

int hardware_give_dma(struct process *process, struct hardware_dma *dma, uint64_t most,
                      uint64_t least)
{
    struct leat_start_entry *entry = process_entry(process, "dma", "");

    if (dma->mem <= 0) {
        make_dma(dma, most, least);
    }
    if (dma->mem <= 0 || entry == NULL) {
        leat_log("service '%s': no contiguous memory for its device (error %d)", process->name,
                 (int)dma->mem);
        return LEAT_ENOMEM;
    }
    entry->va =
        process_map(process, (leat_handle_t)dma->mem, dma->size, LEAT_PROT_READ | LEAT_PROT_WRITE);
    entry->size = dma->size;
    entry->handle =
        hardware_grant(process, dma->mem, LEAT_RIGHT_READ | LEAT_RIGHT_WRITE | LEAT_RIGHT_PHYS);
    return entry->va != 0 && entry->handle != 0 ? LEAT_OK : LEAT_ENOMEM;
}

int hardware_give_nic(struct process *net)
{
    int error = give_registers(net);

    error = error == LEAT_OK ? give_irq(net) : error;
    error = error == LEAT_OK ? hardware_give_dma(net, &nic.dma, DMA_BYTES, DMA_BYTES_LEAST) : error;
    if (error == LEAT_OK) {
        pci_enable(machine_pci(), nic.function.at, false, true);
        leat_log("network card %04x:%04x at %02x:%02x.%x, interrupt %u", nic.function.vendor,
                 nic.function.device, nic.function.at.bus, nic.function.at.device,
                 nic.function.at.function, nic.function.irq_line);
    }
    return error;
}

void hardware_nic_off(void)
{
    pci_disable(machine_pci(), nic.function.at);
}
