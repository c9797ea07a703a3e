/* SPDX-License-Identifier: BSD-2-Clause */
/* Command line: "trace": only the marked round trips; or "bytes=N": how much of the disk to read in a row. */
#include "tests/guests/bench/bench.h"

#define ZERO_PAGE_CMDLINE 0x228 /* boot.rst: cmd_line_ptr */
#define CODE_SELECTOR 0x10u     /* boot.rst, "64-bit boot protocol": __BOOT_CS */
#define GATE 0x8eull            /* SDM vol. 3, 6.14.1: interrupt gate, present */
#define FIRST_INTERRUPT 32u

/* SDM vol. 3, 11.12: x2APIC */
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC 0xc00
#define MSR_SPURIOUS 0x80f
#define SPURIOUS_ENABLED 0x1ff
#define MSR_LVT_TIMER 0x832
#define LVT_TSC_DEADLINE (2u << 17)
#define MSR_TSC_DEADLINE 0x6e0

#define PIC_MASKS 0x21, 0xa1
#define POST_PORT 0x80 /* a device of the vmm that does nothing */
#define RTC_DATA 0x71
#define POWER_PORT 0x604 /* PM1a control of the vmm's ACPI tables: vmm/layout.h */
#define POWER_S5 (1u << 13 | 5u << 10)

volatile uint32_t interrupt_count;
extern const uint8_t interrupt_entry[], exception_entry[];
_Noreturn void bench_exception(void);
void bench_main(const uint8_t *boot_params, uint64_t first_tsc);

static _Noreturn void power_off(void)
{
    out16(POWER_PORT, POWER_S5);
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void bench_exception(void)
{
    say("BENCH failed: an exception");
    power_off();
}

static void interrupts_init(void)
{
    static uint64_t idt[256][2];
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at =
            (uint64_t)(uintptr_t)(i < FIRST_INTERRUPT ? exception_entry : interrupt_entry);
        idt[i][0] =
            (at & 0xffff) | (uint64_t)CODE_SELECTOR << 16 | GATE << 40 | (at >> 16 & 0xffff) << 48;
        idt[i][1] = at >> 32;
    }
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));
    static const uint16_t masks[] = {PIC_MASKS};
    for (unsigned i = 0; i < 2; i++)
        out8(masks[i], 0xff);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
    wrmsr(MSR_SPURIOUS, SPURIOUS_ENABLED);
    wrmsr(MSR_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
}

static inline void cpuid_1(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static inline void vmcall_unknown(void)
{
    uint64_t a = 0x4c656174; /* no number that anybody offers */
    __asm__ volatile("vmcall" : "+a"(a)::"memory");
}

static void exits_bench(void)
{
    MEASURE("cpuid", cpuid_1());
    MEASURE("vmcall", vmcall_unknown());
    MEASURE("out_vmm", out8(POST_PORT, 0));
    MEASURE("in_vmm", (void)in8(RTC_DATA));
}

/* A deadline that has passed when it is written: the interrupt comes at once. */
static void timer_now(void)
{
    uint32_t before = interrupt_count;
    wrmsr(MSR_TSC_DEADLINE, 1);
    while (interrupt_count == before)
        __asm__ volatile("pause" ::: "memory");
}

void timer_sleep(uint64_t ticks_long)
{
    uint32_t before = interrupt_count;
    wrmsr(MSR_TSC_DEADLINE, now() + ticks_long);
    halt_until(before);
}

static void timer_bench(void)
{
    enum { AHEAD = 60000 }; /* ticks: long enough to be asleep by then */
    __asm__ volatile("sti");
    MEASURE("timer_now", timer_now());
    __asm__ volatile("cli");
    MEASURE("timer_arm", wrmsr(MSR_TSC_DEADLINE, start + (1ull << 40)));
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t deadline = now() + AHEAD;
        uint32_t before = interrupt_count;
        wrmsr(MSR_TSC_DEADLINE, deadline);
        halt_until(before);
        ticks[i] = now() - deadline;
    }
    report("timer_hlt_late", ROUNDS);
}

static void trace_exits(void)
{
    TRACE("cpuid", cpuid_1());
    TRACE("vmcall", vmcall_unknown());
    TRACE("out_vmm", out8(POST_PORT, 0));
}

void bench_main(const uint8_t *boot_params, uint64_t first_tsc)
{
    const char *line = (const char *)(uintptr_t)(*(
        const uint32_t *)(const void *)(boot_params + ZERO_PAGE_CMDLINE));
    bool is_trace = line[0] == 't';
    say("BENCH first_tsc %u", first_tsc);
    interrupts_init();
    measure_init();
    if (is_trace) {
        trace_exits();
    } else {
        exits_bench();
        timer_bench();
    }
    disk_bench(line, is_trace);
    say("BENCH done");
    power_off();
}
