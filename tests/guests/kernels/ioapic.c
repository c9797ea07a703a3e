/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts by the IO-APIC, edges and levels, from the RTC: 82093AA, 3.2.4; SDM vol. 3, 11.8.5; MC146818. */
#include "tests/guests/kernels/runtime/kernel.h"

#define VECTOR 0x61
#define RTC_PIN 8u
#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define PATIENCE_MS 20000

enum {
    REG_A = 0x0a,
    REG_B = 0x0b,
    REG_C = 0x0c,
    RATE_1024_HZ = 0x26,
    B_24H = 2,
    B_PERIODIC = 0x40
};
enum { ENTRY_REMOTE_IRR = 1 << 14, ENTRY_LEVEL = 1 << 15, ENTRY_MASKED = 1 << 16 };

static volatile uint32_t *const ioapic = (volatile uint32_t *)(uintptr_t)0xfec00000u;

static uint32_t entry_read(void)
{
    ioapic[0] = 0x10 + 2 * RTC_PIN;
    return ioapic[4];
}

static void entry_write(uint32_t low)
{
    ioapic[0] = 0x10 + 2 * RTC_PIN + 1;
    ioapic[4] = cpu_apic_id(0) << 24;
    ioapic[0] = 0x10 + 2 * RTC_PIN;
    ioapic[4] = low;
}

static void rtc_write(uint8_t reg, uint8_t value)
{
    out8(RTC_INDEX, reg);
    out8(RTC_DATA, value);
}

static void rtc_acknowledge(void)
{
    out8(RTC_INDEX, REG_C);
    (void)in8(RTC_DATA);
}

static volatile uint32_t taken, ends_at, remote_irr;

static void on_interrupt(struct frame *frame)
{
    (void)frame;
    taken = taken + 1;
    if (entry_read() & ENTRY_REMOTE_IRR)
        remote_irr = remote_irr + 1;
    if (taken < ends_at)
        return;
    rtc_write(REG_B, B_24H);
    rtc_acknowledge(); /* the line falls */
}

static void start(uint32_t mode, uint32_t ends)
{
    cpus();
    taken = remote_irr = 0;
    ends_at = ends;
    interrupt_handlers[VECTOR] = on_interrupt;
    rtc_write(REG_B, B_24H);
    rtc_acknowledge();
    rtc_write(REG_A, RATE_1024_HZ);
    entry_write(mode | VECTOR);
    rtc_write(REG_B, B_24H | B_PERIODIC);
    sti();
}

static void end(void)
{
    WAIT_FOR(taken >= ends_at, PATIENCE_MS);
    wait_ms(5);
    cli();
    CHECK(!(entry_read() & ENTRY_REMOTE_IRR), "remote IRR stays set");
    entry_write(ENTRY_MASKED);
}

/* One edge, however long the line is high. */
static void edge(void)
{
    known_alone("tcg", "QEMU's IO-APIC takes each assertion for an edge");
    start(0, 2);
    WAIT_FOR(taken, PATIENCE_MS);
    wait_ms(5);
    CHECK_EQ("interrupts of an edge", taken, 1);
    rtc_acknowledge(); /* so that there is another one */
    end();
    CHECK_EQ("interrupts of two edges", taken, 2);
    CHECK_EQ("of these, with remote IRR", remote_irr, 0);
}

/* As long as the line is high, another one after each EOI. */
static void level(void)
{
    start(ENTRY_LEVEL, 4);
    end();
    CHECK_EQ("interrupts of a level that the fourth ends", taken, 4);
    CHECK_EQ("of these, with remote IRR", remote_irr, 4);
}

/* A vector that was a level's, then an edge's, then a level's. */
static void in_turns(void)
{
    level();
    edge();
    level();
}

static void x2apic(void)
{
    if (!apic_x2_enable()) {
        skip("CPUID has no x2APIC");
        return;
    }
    edge();
    in_turns();
    apic_x2_disable();
}

KERNEL("ioapic", {"edge", edge}, {"level", level}, {"in_turns", in_turns}, {"x2apic", x2apic});
