/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/kernels/runtime/kernel.h"

#define BIOS_AREA 0xe0000u
#define BIOS_AREA_END 0x100000u
#define VECTOR_WAKE 0x40
#define MADT_ENTRIES 44
#define PATIENCE_MS 200

extern const uint8_t ap_start[], ap_start_end[];
void ap_main(unsigned cpu);

static struct {
    void (*volatile fn)(void *);
    void *volatile argument;
    volatile uint32_t id, is_up;
} all[MAX_CPUS];

static uint32_t get32(uint64_t at)
{
    return *(const volatile uint32_t *)(uintptr_t)at;
}

static uint64_t find_rsdp(void)
{
    for (uint64_t at = BIOS_AREA; at < BIOS_AREA_END; at += 16)
        if (get32(at) == 0x20445352 && get32(at + 4) == 0x20525450) /* "RSD PTR " */
            return at;
    return 0;
}

/* ACPI 6.4, 5.2.12: processor local APIC entries that are enabled. */
static unsigned count_madt(uint64_t madt)
{
    unsigned count = 0;
    for (uint64_t at = madt + MADT_ENTRIES; at < madt + get32(madt + 4);
         at += get32(at) >> 8 & 0xff) {
        if (!(get32(at) >> 8 & 0xff))
            break;
        count += (get32(at) & 0xff) == 0 && get32(at + 4) & 1;
    }
    return count;
}

unsigned cpus_told(void)
{
    uint64_t rsdp = find_rsdp();
    if (!rsdp)
        return 0;
    uint64_t rsdt = get32(rsdp + 16), width = 4;
    if (!rsdt && *(const uint8_t *)(uintptr_t)(rsdp + 15) >= 2) {
        rsdt = get32(rsdp + 24); /* the XSDT; all tables lie below 4 GiB */
        width = 8;
    }
    for (uint64_t at = rsdt + 36; rsdt && at < rsdt + get32(rsdt + 4); at += width)
        if (get32(get32(at)) == 0x43495041) /* "APIC" */
            return count_madt(get32(at));
    return 0;
}

static void nothing(struct frame *frame)
{
    (void)frame;
}

static void start_all(void)
{
    unsigned told = cpus_told();
    all[0].id = apic_id();
    all[0].is_up = 1;
    interrupt_handlers[VECTOR_WAKE] = nothing;
    for (unsigned i = 0; ap_start + i < ap_start_end; i++)
        ((volatile uint8_t *)LOW_CODE)[i] = ap_start[i];
    apic_ipi(0, ICR_OTHERS | ICR_INIT | ICR_ASSERT);
    wait_ms(10);
    apic_ipi(0, ICR_OTHERS | ICR_STARTUP | ICR_ASSERT | LOW_CODE >> 12);
    if (told)
        WAIT_FOR(ap_count + 1 >= told, 100 * PATIENCE_MS);
    else
        wait_ms(PATIENCE_MS);
    for (unsigned i = 1; i <= ap_count && i < MAX_CPUS; i++)
        WAIT_FOR(all[i].is_up, 100 * PATIENCE_MS);
}

unsigned cpus(void)
{
    static bool is_done;
    if (!is_done)
        start_all();
    is_done = true;
    return ap_count < MAX_CPUS ? ap_count + 1 : MAX_CPUS;
}

uint32_t cpu_apic_id(unsigned cpu)
{
    return all[cpu].id;
}

/* An AP has a GDT and a TSS of its own, for its NMI's stack; rings and modes are tried on the BSP only. */
static void own_tables(unsigned cpu)
{
    static _Alignas(16) uint64_t gdts[MAX_CPUS][GDT_BYTES / 8];
    static struct tss segments[MAX_CPUS];
    static _Alignas(16) uint8_t stacks[MAX_CPUS][4096];
    uint64_t at = (uint64_t)(uintptr_t)&segments[cpu];
    for (unsigned i = 0; i < GDT_BYTES / 8; i++)
        gdts[cpu][i] = gdt[i];
    gdts[cpu][SEL_TSS / 8] = tss_descriptor(at);
    gdts[cpu][SEL_TSS / 8 + 1] = at >> 32;
    for (unsigned i = 0; i < 2; i++)
        segments[cpu].ist[i] = (uint64_t)(uintptr_t)stacks[cpu] + sizeof(stacks[cpu]);
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {GDT_BYTES - 1, (uint64_t)(uintptr_t)gdts[cpu]};
    __asm__ volatile("lgdt %0\n\tltr %w1" ::"m"(pointer), "r"(SEL_TSS));
}

void ap_main(unsigned cpu)
{
    own_tables(cpu);
    apic_init();
    all[cpu].id = apic_id();
    all[cpu].is_up = 1;
    for (;;) {
        while (!all[cpu].fn)
            sti_hlt_cli();
        all[cpu].fn(all[cpu].argument);
        cli();
        all[cpu].fn = NULL;
    }
}

void cpu_start(unsigned cpu, void (*fn)(void *), void *argument)
{
    all[cpu].argument = argument;
    all[cpu].fn = fn;
    apic_ipi(all[cpu].id, ICR_ASSERT | VECTOR_WAKE);
}

void cpu_wait(unsigned cpu)
{
    WAIT_FOR(!all[cpu].fn, 60000);
    if (all[cpu].fn)
        die("CPU %u does not come to the end of its work", (uint64_t)cpu);
}

void cpu_call(unsigned cpu, void (*fn)(void *), void *argument)
{
    if (cpu == 0) {
        fn(argument);
        return;
    }
    cpu_start(cpu, fn, argument);
    cpu_wait(cpu);
}
