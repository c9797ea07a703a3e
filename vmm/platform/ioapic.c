// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/ioapic.h"

#include "vmm/platform/platform.h"

/* Redirection table entry: 82093AA, 3.2.4 */
#define ENTRY_VECTOR 0xffull
#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_STATUS (1ull << 12)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_MASKED (1ull << 16)
#define ENTRY_WRITABLE 0xff0000000001afffull

#define REG_VERSION 0x01
#define REG_TABLE 0x10
#define VERSION (0x11u | (IOAPIC_PINS - 1) << 16)

void ioapic_init(struct ioapic *ioapic, struct vm *vm)
{
    ioapic->vm = vm;
    ioapic->lines = 0;
    ioapic_reset(ioapic);
}

void ioapic_reset(void *device)
{
    struct ioapic *ioapic = device;
    ioapic->select = 0;
    for (unsigned i = 0; i < IOAPIC_PINS; i++)
        ioapic->entries[i] = ENTRY_MASKED;
}

static void deliver(struct ioapic *ioapic, unsigned pin)
{
    uint64_t *entry = &ioapic->entries[pin];
    enum lapic_delivery mode = *entry >> 8 & 7;
    bool is_level = *entry & ENTRY_LEVEL;
    if (mode == LAPIC_SIPI || mode == LAPIC_INIT)
        return;
    if (mode == LAPIC_EXTINT) { /* the 8259 behind pin 0: its own output decides */
        platform_extint(ioapic->vm);
        return;
    }
    bool is_taken = platform_deliver(ioapic->vm, (uint32_t)(*entry >> 56), *entry & ENTRY_LOGICAL,
                                     mode, *entry & ENTRY_VECTOR, is_level);
    if (is_level && is_taken && mode <= LAPIC_LOWEST)
        *entry |= ENTRY_REMOTE_IRR;
}

/* A level that is high, not masked and not in service goes out. */
static void evaluate_level(struct ioapic *ioapic, unsigned pin)
{
    uint64_t entry = ioapic->entries[pin];
    if ((entry & ENTRY_LEVEL) && !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) &&
        (ioapic->lines >> pin & 1))
        deliver(ioapic, pin);
}

void ioapic_set_line(struct ioapic *ioapic, unsigned pin, bool is_high)
{
    if (pin >= IOAPIC_PINS)
        return;
    bool was_high = ioapic->lines >> pin & 1;
    ioapic->lines = (ioapic->lines & ~(1u << pin)) | (uint32_t)is_high << pin;
    if (!is_high)
        return;
    uint64_t entry = ioapic->entries[pin];
    if (entry & ENTRY_LEVEL)
        evaluate_level(ioapic, pin);
    else if (!was_high && !(entry & ENTRY_MASKED))
        deliver(ioapic, pin);
}

void ioapic_eoi(struct ioapic *ioapic, uint8_t vector)
{
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        uint64_t *entry = &ioapic->entries[i];
        if ((*entry & ENTRY_VECTOR) != vector || !(*entry & ENTRY_REMOTE_IRR))
            continue;
        *entry &= ~ENTRY_REMOTE_IRR;
        evaluate_level(ioapic, i);
    }
}

static uint32_t read_register(const struct ioapic *ioapic)
{
    uint32_t reg = ioapic->select;
    if (reg == REG_VERSION)
        return VERSION;
    if (reg >= REG_TABLE && reg < REG_TABLE + 2 * IOAPIC_PINS) {
        uint64_t entry = ioapic->entries[(reg - REG_TABLE) / 2];
        return (uint32_t)(reg & 1 ? entry >> 32 : entry);
    }
    return 0; /* id and arbitration id: there is one IO-APIC, number 0 */
}

static void write_entry(struct ioapic *ioapic, unsigned pin, bool is_high_half, uint32_t value)
{
    uint64_t *entry = &ioapic->entries[pin];
    uint64_t kept = *entry & ~ENTRY_WRITABLE;
    uint64_t next = is_high_half ? (*entry & UINT32_MAX) | (uint64_t)value << 32
                                 : (*entry & ~(uint64_t)UINT32_MAX) | value;
    *entry = (next & ENTRY_WRITABLE) | (kept & ENTRY_REMOTE_IRR);
    if (!(*entry & ENTRY_LEVEL)) /* switching to edge and back is how old kernels clear it */
        *entry &= ~ENTRY_REMOTE_IRR;
    evaluate_level(ioapic, pin);
}

uint64_t ioapic_read(void *device, uint64_t offset, unsigned width)
{
    struct ioapic *ioapic = device;
    (void)width;
    if (offset == 0)
        return ioapic->select;
    return offset == 0x10 ? read_register(ioapic) : 0;
}

void ioapic_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct ioapic *ioapic = device;
    (void)width;
    if (offset == 0)
        ioapic->select = value & 0xff;
    if (offset != 0x10)
        return;
    uint32_t reg = ioapic->select;
    if (reg >= REG_TABLE && reg < REG_TABLE + 2 * IOAPIC_PINS)
        write_entry(ioapic, (reg - REG_TABLE) / 2, reg & 1, (uint32_t)value);
}
