/* SPDX-License-Identifier: BSD-2-Clause */
/* The time-stamp counter: SDM vol. 3, 18.17. */
#include "tests/guests/kernels/runtime/kernel.h"

#define MSR_TSC 0x10
#define MSR_TSC_ADJUST 0x3b
#define ROUNDS 2000
#define CR4_TSD 4ull
#define FAR 0x123456789abcull

static void monotonic(void)
{
    uint64_t last = rdtsc();
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 100 == 0)
            cpuid(0, 0);
        uint64_t now = rdtsc();
        if (!CHECK(now >= last, "%u ticks back", last - now))
            return;
        last = now;
    }
    known_fault("tcg", "TCG reads the TSC's MSR as 0");
    uint64_t by_msr = rdmsr(MSR_TSC), after = rdtsc();
    CHECK(by_msr >= last && by_msr <= after, "RDMSR gives 0x%x between 0x%x and 0x%x", by_msr, last,
          after);
}

static void rdtscp(void)
{
    if (!(cpuid(0x80000001, 0).edx & 1u << 27)) {
        skip("CPUID has no RDTSCP");
        return;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t low, high, aux;
        uint64_t before = rdtsc();
        __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux)::"memory");
        uint64_t is = (uint64_t)high << 32 | low, after = rdtsc();
        if (!CHECK(is >= before && is <= after, "RDTSCP gives 0x%x between 0x%x and 0x%x", is,
                   before, after))
            return;
    }
}

/* Each CPU in turn takes the time and must not be behind the one before. */
static volatile uint64_t last_time, worst;
static volatile uint32_t turn;
static void take_turns(void *argument)
{
    uint32_t me = (uint32_t)(uintptr_t)argument, count = cpus();
    for (uint32_t i = 0; i < 100; i++) {
        while (turn != i * count + me)
            pause();
        uint64_t now = rdtsc();
        if (now < last_time && last_time - now > worst)
            worst = last_time - now;
        last_time = now;
        __atomic_fetch_add(&turn, 1, __ATOMIC_SEQ_CST);
    }
}

static void over_cpus(void)
{
    if (cpus() < 2) {
        skip("one CPU");
        return;
    }
    for (unsigned i = 1; i < cpus(); i++)
        cpu_start(i, take_turns, (void *)(uintptr_t)i);
    take_turns(NULL);
    for (unsigned i = 1; i < cpus(); i++)
        cpu_wait(i);
    CHECK(!worst, "a CPU's TSC is %u ticks behind another's", worst);
}

static void write(void)
{
    known_alone("tcg", "TCG ignores writes of the TSC");
    uint64_t before = rdtsc();
    wrmsr(MSR_TSC, FAR);
    uint64_t is = rdtsc();
    CHECK(is >= FAR && is - FAR < 1000 * tsc_per_ms(), "the TSC is 0x%x after 0x%x was written", is,
          FAR);
    cpuid(0, 0);
    out8(0x80, 0);
    CHECK(rdtsc() >= is, "the TSC went back");
    wrmsr(MSR_TSC, before);
    is = rdtsc();
    CHECK(is >= before && is - before < 1000 * tsc_per_ms(),
          "the TSC is 0x%x after 0x%x was written", is, before);
}

static void adjust(void)
{
    if (!(cpuid(7, 0).ebx & 2)) {
        skip("CPUID has no TSC_ADJUST");
        return;
    }
    uint64_t old = rdmsr(MSR_TSC_ADJUST), before = rdtsc();
    wrmsr(MSR_TSC_ADJUST, old + FAR);
    uint64_t is = rdtsc();
    CHECK_EQ("TSC_ADJUST", rdmsr(MSR_TSC_ADJUST), old + FAR);
    CHECK(is - before >= FAR && is - before - FAR < 1000 * tsc_per_ms(), "the TSC moved by 0x%x",
          is - before);
    wrmsr(MSR_TSC_ADJUST, old);
    CHECK(rdtsc() - before < 1000 * tsc_per_ms(), "the TSC did not come back");
    before = rdtsc();
    wrmsr(MSR_TSC, before + FAR); /* the other way round */
    uint64_t moved = rdmsr(MSR_TSC_ADJUST) - old;
    wrmsr(MSR_TSC_ADJUST, old);
    known_alone("bochs", "Bochs leaves TSC_ADJUST alone when the TSC is written");
    CHECK(moved - FAR + 1000 * tsc_per_ms() < 2000 * tsc_per_ms(), "TSC_ADJUST moved by 0x%x",
          moved);
}

CODE(64, do_rdtsc, "", "rdtsc", "");
CODE(64, do_rdtscp, "", "rdtscp", "");
static void ring3(void)
{
    CHECK_RUNS(do_rdtsc, RING3);
    uint64_t now = rdtsc(), there = trapped.rdx << 32 | (uint32_t)trapped.rax;
    CHECK(there <= now && now - there < 1000 * tsc_per_ms(), "ring 3 saw 0x%x, ring 0 then 0x%x",
          there, now);
    cr4_write(cr4_read() | CR4_TSD);
    CHECK_RUNS(do_rdtsc, RING0);
    CHECK_FAULT(do_rdtsc, RING3, 13, 0);
    if (cpuid(0x80000001, 0).edx & 1u << 27)
        CHECK_FAULT(do_rdtscp, RING3, 13, 0);
    cr4_write(cr4_read() & ~CR4_TSD);
}

/* The second channel's count and the TSC at one moment: the pair of twenty that was read fastest, since other VMs may
   have had the CPU in between. */
static void sample(uint64_t *tsc, uint32_t *count)
{
    uint64_t shortest = UINT64_MAX;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t start = rdtsc();
        out8(0x43, 0x80); /* latch */
        uint64_t end = rdtsc();
        uint32_t now = in8(0x42);
        now |= (uint32_t)in8(0x42) << 8;
        if (end - start < shortest) {
            shortest = end - start;
            *tsc = start + shortest / 2;
            *count = now;
        }
    }
}

/* Leaf 0x15 against the 8254. */
static void rate(void)
{
    if (!is_leat() || !has_leaf(0x15) || !cpuid(0x15, 0).ecx) {
        skip("CPUID does not tell the TSC's rate, or not Leat's time");
        return;
    }
    uint64_t told = tsc_per_ms(), best = UINT64_MAX; /* in a tenth of a percent */
    for (unsigned i = 0; i < 40 && best > 5; i++) {
        uint64_t start, end;
        uint32_t first, last;
        out8(0x61, (in8(0x61) & 0xfc) | 1);
        out8(0x43, 0xb0);
        out8(0x42, 0xff);
        out8(0x42, 0xff);
        sample(&start, &first);
        wait_ms(15);
        sample(&end, &last);
        if (end - start > 50 * told || first <= last) /* the count may have gone round */
            continue;
        uint64_t is = (end - start) * 1193182 / 1000 / (first - last),
                 off = is > told ? is - told : told - is;
        off = off * 1000 / told;
        best = off < best ? off : best;
    }
    if (best == UINT64_MAX) {
        skip("other VMs left no 50 ms without a break");
        return;
    }
    CHECK(best <= 10, "CPUID's rate and the 8254 differ by %u tenths of a percent", best);
}

KERNEL("tsc", {"monotonic", monotonic}, {"rdtscp", rdtscp}, {"over_cpus", over_cpus},
       {"write", write}, {"adjust", adjust}, {"ring3", ring3}, {"rate", rate});
