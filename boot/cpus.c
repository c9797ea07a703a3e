// SPDX-License-Identifier: BSD-2-Clause
/* The other CPUs' start: INIT, SIPI. Each then waits in a page below 1 MiB for the kernel (park.S). */
#include "boot/boot.h"

#include <string.h>

#include "boot/park.h"

/* SDM vol. 3, 11.4.3, 11.6.1, 11.12.1, and 9.4.4.1 for the waiting times */
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2APIC (1u << 10)
#define MSR_X2APIC_COMMAND 0x830
#define APIC_COMMAND 0x300
#define APIC_DESTINATION 0x310
#define COMMAND_PENDING (1u << 12)
#define COMMAND_INIT 0x4500u
#define COMMAND_SIPI 0x4600u
#define COMMAND_TO_OTHERS (3u << 18)
#define XAPIC_ALL 0xffu /* in xAPIC mode it names every CPU, and ids above lose their high bits */
#define INIT_WAIT_US 10000u
#define SIPI_WAIT_US 200u
#define ARRIVAL_WAIT_US 200000u /* for all that the tables name */
#define QUIET_WAIT_US 20000u    /* without tables: after the last that has come */

#define LOW_END 0xa0000u
#define LOW_PAGES 2u /* code and slots; a top-level page table that a 32-bit CR3 can name */

_Static_assert(offsetof(struct leat_boot_parking, cpus) == PARKING_FIRST, "park.h");
_Static_assert(sizeof(struct leat_boot_slot) == PARKING_SLOT_BYTES, "park.h");
_Static_assert(LEAT_BOOT_MAX_CPUS == PARKING_SLOTS, "park.h");
_Static_assert(PARKING_OFFSET + sizeof(struct leat_boot_parking) <= LEAT_PAGE_SIZE, "one page");

extern const uint8_t park_code[], park_code_end[], park_root[], park_gdtr[], park_target[],
    park_gdt[], park_long[];

static void put32(uint8_t *page, const uint8_t *field, uint64_t value)
{
    uint32_t value32 = (uint32_t)value;
    memcpy(page + (field - park_code), &value32, sizeof(value32));
}

void cpus_prepare(struct boot *boot)
{
    /* One more page: the first one, should we get that, is no page to start a CPU at. */
    EFI_PHYSICAL_ADDRESS low = LOW_END - 1;
    if (boot->range_count == BOOT_MAX_RANGES ||
        EFI_ERROR(
            boot->services->AllocatePages(AllocateMaxAddress, EfiLoaderData, LOW_PAGES + 1, &low)))
        return; /* one CPU then: the kernel's log says how many run */
    low += low == 0 ? LEAT_PAGE_SIZE : 0;
    boot->ranges[boot->range_count++] =
        (struct boot_range){low, LOW_PAGES * LEAT_PAGE_SIZE, LEAT_MEMORY_BOOT};
    uint8_t *page = (uint8_t *)(uintptr_t)low;
    memset(page, 0, LEAT_PAGE_SIZE);
    memcpy(page, park_code, (size_t)(park_code_end - park_code));
    memcpy(page + LEAT_PAGE_SIZE, (const void *)(uintptr_t)boot->page_root, LEAT_PAGE_SIZE);
    put32(page, park_gdtr + 2, low + (uint64_t)(park_gdt - park_code));
    put32(page, park_target, low + (uint64_t)(park_long - park_code));
    put32(page, park_root, low + LEAT_PAGE_SIZE);
    boot->info->parking_hpa = low + PARKING_OFFSET;
}

static void send(uint32_t apic_id, uint32_t command)
{
    uint64_t base = boot_rdmsr(MSR_APIC_BASE);
    if (base & APIC_BASE_X2APIC) {
        boot_wrmsr(MSR_X2APIC_COMMAND, (uint64_t)apic_id << 32 | command);
        return;
    }
    volatile uint32_t *registers = (volatile uint32_t *)(uintptr_t)(base & 0x000ffffffffff000ull);
    registers[APIC_DESTINATION / 4] = apic_id << 24;
    registers[APIC_COMMAND / 4] = command;
    while (registers[APIC_COMMAND / 4] & COMMAND_PENDING)
        ;
}

static void send_others(const struct leat_boot_interrupts *known, uint32_t self, uint32_t command)
{
    bool is_x2apic = boot_rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
    if (known->cpu_count == 0)
        send(0, command | COMMAND_TO_OTHERS);
    for (uint32_t i = 0; i < known->cpu_count; i++)
        if (known->apic_ids[i] != self && (is_x2apic || known->apic_ids[i] < XAPIC_ALL))
            send(known->apic_ids[i], command);
}

static void wait_us(const struct boot *boot, uint64_t us)
{
    for (uint64_t end = boot_rdtsc() + boot->info->tsc_hz / 1000000 * us; boot_rdtsc() < end;)
        __asm__ volatile("pause");
}

static uint32_t own_apic_id(void)
{
    uint64_t base = boot_rdmsr(MSR_APIC_BASE);
    if (base & APIC_BASE_X2APIC)
        return (uint32_t)boot_rdmsr(0x802);
    return ((volatile uint32_t *)(uintptr_t)(base & 0x000ffffffffff000ull))[0x20 / 4] >> 24;
}

void cpus_park(struct boot *boot)
{
    const struct leat_boot_interrupts *known = &boot->info->interrupts;
    const volatile struct leat_boot_parking *parking =
        (const volatile struct leat_boot_parking *)(uintptr_t)boot->info->parking_hpa;
    if (parking == NULL || known->cpu_count == 1 || !(boot_rdmsr(MSR_APIC_BASE) & APIC_BASE_ENABLE))
        return;
    uint32_t self = own_apic_id(), sipi = COMMAND_SIPI | (uint32_t)(boot->info->parking_hpa >> 12);
    send_others(known, self, COMMAND_INIT);
    wait_us(boot, INIT_WAIT_US);
    send_others(known, self, sipi);
    wait_us(boot, SIPI_WAIT_US);
    send_others(known, self, sipi); /* who runs already does not heed it */
    uint32_t quiet = known->cpu_count == 0 ? QUIET_WAIT_US : ARRIVAL_WAIT_US, seen = 0;
    for (uint32_t waited = 0;
         waited < quiet && (known->cpu_count == 0 || seen + 1 < known->cpu_count); waited += 100) {
        wait_us(boot, 100);
        if (parking->count != seen) {
            seen = parking->count;
            waited = 0;
        }
    }
}
