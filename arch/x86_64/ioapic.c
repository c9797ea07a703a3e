// SPDX-License-Identifier: BSD-2-Clause
/* Device interrupts: IO-APIC lines routed to vectors of the boot CPU. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/trap.h"
#include "kernel/arch.h"
#include "kernel/assert.h"
#include "kernel/info.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/smp.h"
#include "kernel/timer.h"

/* 82093AA, 3.1 and 3.2 */
enum { IOREGSEL = 0x00, IOWIN = 0x10, IOAPIC_VERSION = 1 };
#define IOAPIC_LINES_MAX 120u /* entries that the 8-bit index reaches */
#define IOAPIC_ENTRY(line) (0x10 + 2 * (line))
enum { ENTRY_ACTIVE_LOW = 1u << 13, ENTRY_LEVEL = 1u << 15, ENTRY_MASKED = 1u << 16 };

struct ioapic {
    volatile uint8_t *registers;
    uint32_t gsi_base, lines;
};

static struct ioapic ioapics[LEAT_BOOT_MAX_IOAPICS];
static unsigned ioapic_count;

#define VECTORS (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)
static struct route {
    bool used;
    uint32_t gsi, entry; /* entry: low word of the redirection entry, without the mask bit */
} routes[VECTORS];

static uint32_t io_read(const struct ioapic *io, uint8_t index)
{
    *(volatile uint32_t *)(io->registers + IOREGSEL) = index;
    return *(volatile uint32_t *)(io->registers + IOWIN);
}

static void io_write(const struct ioapic *io, uint8_t index, uint32_t value)
{
    *(volatile uint32_t *)(io->registers + IOREGSEL) = index;
    *(volatile uint32_t *)(io->registers + IOWIN) = value;
}

static void add(uint32_t base, uint32_t gsi_base)
{
    struct ioapic *io = &ioapics[ioapic_count];
    io->registers = arch_map_mmio(hpa(base & ~0xfffull));
    if (!io->registers)
        panic("cannot map the IO-APIC at %#x", base);
    io->registers += base & 0xfff;
    io->gsi_base = gsi_base;
    io->lines = (io_read(io, IOAPIC_VERSION) >> 16 & 0xff) + 1;
    if (io->lines > IOAPIC_LINES_MAX)
        return; /* nothing there: all ones */
    for (uint32_t line = 0; line < io->lines; line++)
        io_write(io, (uint8_t)IOAPIC_ENTRY(line), ENTRY_MASKED);
    ioapic_count++;
}

void ioapic_init(void)
{
    const struct leat_boot_interrupts *told = &boot_info->interrupts;
    for (uint32_t i = 0; i < told->ioapic_count; i++)
        add(told->ioapics[i].hpa, told->ioapics[i].gsi_base);
    klog("%u IO-APICs, %u lines on the first", ioapic_count, ioapics[0].lines);
}

static const struct ioapic *ioapic_of(uint32_t gsi)
{
    for (unsigned i = 0; i < ioapic_count; i++)
        if (gsi >= ioapics[i].gsi_base && gsi - ioapics[i].gsi_base < ioapics[i].lines)
            return &ioapics[i];
    return NULL;
}

bool irq_line_exists(uint32_t gsi)
{
    return ioapic_of(gsi) != NULL;
}

static struct route *route_of(uint32_t gsi)
{
    for (unsigned i = 0; i < VECTORS; i++)
        if (routes[i].used && routes[i].gsi == gsi)
            return &routes[i];
    return NULL;
}

static void set_entry(uint32_t gsi, uint32_t low)
{
    const struct ioapic *io = ioapic_of(gsi);
    KASSERT(io);
    io_write(io, (uint8_t)IOAPIC_ENTRY(gsi - io->gsi_base), low);
}

/* What firmware says about an ISA line counts more than what a driver believes. */
static uint32_t mode_of(uint32_t gsi, uint32_t flags)
{
    bool level = flags & LEAT_IRQ_LEVEL, low = flags & LEAT_IRQ_ACTIVE_LOW;
    for (uint32_t i = 0; i < boot_info->interrupts.override_count; i++) {
        const struct leat_boot_override *o = &boot_info->interrupts.overrides[i];
        if (o->gsi != gsi)
            continue;
        if (o->trigger)
            level = o->trigger == 3;
        if (o->polarity)
            low = o->polarity == 3;
    }
    return (level ? ENTRY_LEVEL : 0) | (low ? ENTRY_ACTIVE_LOW : 0);
}

int irq_line_enable(uint32_t gsi, uint32_t flags)
{
    const struct ioapic *io = ioapic_of(gsi);
    if (!io)
        return LEAT_ENOENT;
    for (unsigned i = 0; i < VECTORS; i++) {
        struct route *r = &routes[i];
        if (r->used)
            continue;
        *r = (struct route){true, gsi, (VECTOR_DEVICE_FIRST + i) | mode_of(gsi, flags)};
        io_write(io, (uint8_t)(IOAPIC_ENTRY(gsi - io->gsi_base) + 1), this_cpu()->apic_id << 24);
        set_entry(gsi, r->entry);
        return LEAT_OK;
    }
    return LEAT_ENOMEM;
}

void irq_line_disable(uint32_t gsi)
{
    struct route *r = route_of(gsi);
    KASSERT(r);
    set_entry(gsi, ENTRY_MASKED);
    r->used = false;
}

void irq_line_mask(uint32_t gsi)
{
    const struct route *r = route_of(gsi);
    if (r)
        set_entry(gsi, r->entry | ENTRY_MASKED);
}

void irq_line_unmask(uint32_t gsi)
{
    const struct route *r = route_of(gsi);
    if (r)
        set_entry(gsi, r->entry);
}

bool irq_line_is_level(uint32_t gsi)
{
    const struct route *r = route_of(gsi);
    return r && (r->entry & ENTRY_LEVEL);
}

void arch_dispatch_irq(unsigned vector)
{
    if (vector == VECTOR_TIMER) {
        apic_eoi();
        timer_interrupt();
    } else if (vector == VECTOR_CPU) {
        apic_eoi();
        smp_serve(); /* done already by whoever had to wait for the lock; what is left is percpu.work */
    } else if (vector == VECTOR_POSTED) {
        apic_eoi(); /* its guest has left meanwhile, and is looked after when it goes in again */
    } else if (vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST) {
        const struct route *r = &routes[vector - VECTOR_DEVICE_FIRST];
        if (r->used)
            irq_line_fired(r->gsi); /* masks a level line: before the EOI, or it would fire again */
        apic_eoi();
    }
    /* Else it is spurious, and wants no EOI. */
}
