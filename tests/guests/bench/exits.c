/* SPDX-License-Identifier: BSD-2-Clause */
/* Round trips that need no device: what one of each kind of exit costs. */
#include "tests/guests/bench/apic.h"
#include "tests/guests/bench/bench.h"

#define POST_PORT 0x80 /* a device of the vmm that does nothing */
#define RTC_DATA 0x71

static inline void cpuid_1(void)
{
    uint32_t a = 1, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static bool is_amd(void)
{
    uint32_t a = 0, b, c, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return c == 0x444d4163; /* "cAMD": APM vol. 3, E.3.1 */
}

#define UNKNOWN_CALL 0x4c656174ull /* no number that anybody offers */

static inline void vmcall_unknown(void)
{
    uint64_t a = UNKNOWN_CALL;
    __asm__ volatile("vmcall" : "+a"(a)::"memory");
}

static inline void vmmcall_unknown(void)
{
    uint64_t a = UNKNOWN_CALL;
    __asm__ volatile("vmmcall" : "+a"(a)::"memory");
}

static void measure_instructions(void)
{
    MEASURE("cpuid", cpuid_1());
    if (is_amd())
        MEASURE("vmcall", vmmcall_unknown());
    else
        MEASURE("vmcall", vmcall_unknown());
    MEASURE("out_vmm", out8(POST_PORT, 0));
    MEASURE("in_vmm", (void)in8(RTC_DATA));
}

/* A deadline that has passed when it is written: the interrupt comes at once. */
static void timer_now(void)
{
    uint32_t before = interrupt_count;
    timer_arm(1);
    while (interrupt_count == before)
        __asm__ volatile("pause" ::: "memory");
}

static void measure_timer(void)
{
    enum { AHEAD = 60000 }; /* ticks: long enough to be asleep by then */
    __asm__ volatile("sti");
    MEASURE("timer_now", timer_now());
    __asm__ volatile("cli");
    MEASURE("timer_arm", timer_arm(start + (1ull << 40)));
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t deadline = now() + AHEAD;
        uint32_t before = interrupt_count;
        timer_arm(deadline);
        halt_until(before);
        ticks[i] = now() - deadline;
    }
    report("timer_hlt_late", ROUNDS);
}

static inline void interrupted_by(uint32_t msr, uint64_t value)
{
    uint32_t before = interrupt_count;
    wrmsr(msr, value);
    while (interrupt_count == before)
        __asm__ volatile("pause" ::: "memory");
}

static void measure_ipis(void)
{
    __asm__ volatile("sti");
    MEASURE("self_ipi", interrupted_by(MSR_SELF_IPI, VECTOR_TIMER));
    MEASURE("ipi_to_self", interrupted_by(MSR_ICR, ICR_DESTINATION(0) | ICR_FIXED | VECTOR_TIMER));
    __asm__ volatile("cli");
}

static void trace_instructions(void)
{
    TRACE("cpuid", cpuid_1());
    if (is_amd())
        TRACE("vmcall", vmmcall_unknown());
    else
        TRACE("vmcall", vmcall_unknown());
    TRACE("out_vmm", out8(POST_PORT, 0));
}

void exits_bench(bool is_trace)
{
    if (is_trace) {
        trace_instructions();
        return;
    }
    measure_instructions();
    measure_timer();
    measure_ipis();
}
