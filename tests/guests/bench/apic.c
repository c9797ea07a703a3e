/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt table, local APIC (x2APIC, SDM vol. 3, 11.12) and time. */
#include "tests/guests/bench/bench.h"

#include "tests/guests/bench/apic.h"

#define CODE_SELECTOR 0x10u /* boot.rst, "64-bit boot protocol": __BOOT_CS */
#define GATE 0x8eull        /* SDM vol. 3, 6.14.1: interrupt gate, present */
#define FIRST_INTERRUPT 32u
#define PIC_MASKS 0x21, 0xa1
#define PM_TIMER_PORT 0x608 /* vmm/layout.h */
#define PM_TIMER_HZ 3579545u
#define PM_TIMER_MASK 0xffffffu

volatile uint32_t interrupt_count;
extern const uint8_t interrupt_entry[], exception_entry[];
static uint64_t idt[256][2];

static void fill_table(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at =
            (uint64_t)(uintptr_t)(i < FIRST_INTERRUPT ? exception_entry : interrupt_entry);
        idt[i][0] =
            (at & 0xffff) | (uint64_t)CODE_SELECTOR << 16 | GATE << 40 | (at >> 16 & 0xffff) << 48;
        idt[i][1] = at >> 32;
    }
}

void interrupts_init(void)
{
    if (!idt[0][0]) {
        static const uint16_t masks[] = {PIC_MASKS};
        for (unsigned i = 0; i < sizeof(masks) / sizeof(masks[0]); i++)
            out8(masks[i], 0xff);
        fill_table();
    }
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    wrmsr(MSR_SPURIOUS, SPURIOUS_ENABLED);
    wrmsr(MSR_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
}

void timer_arm(uint64_t deadline)
{
    wrmsr(MSR_TSC_DEADLINE, deadline);
}

void timer_sleep(uint64_t ticks_long)
{
    uint32_t before = interrupt_count;
    timer_arm(now() + ticks_long);
    halt_until(before);
}

static uint32_t pm_timer(void)
{
    return in32(PM_TIMER_PORT) & PM_TIMER_MASK;
}

uint64_t ticks_per_ms(void)
{
    enum { MILLISECONDS = 20 };
    uint32_t first = pm_timer(), passed;
    uint64_t start = now();
    do
        passed = (pm_timer() - first) & PM_TIMER_MASK;
    while (passed < PM_TIMER_HZ / 1000 * MILLISECONDS);
    return (now() - start) * (PM_TIMER_HZ / 1000) / passed;
}
