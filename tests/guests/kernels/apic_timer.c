/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's timer: SDM vol. 3, 11.5.4. Other VMs may have the CPU: what is late is no fault, early is. */
#include "tests/guests/kernels/runtime/kernel.h"

#define VECTOR 0x60
#define MASKED (1u << 16)
#define PERIODIC (1u << 17)
#define DEADLINE (2u << 17)
#define DIVIDE_16 3u
#define DIVIDE_1 0xbu
#define MSR_DEADLINE 0x6e0
#define LEAF1_ECX_DEADLINE (1u << 24)
#define PATIENCE_MS 20000

static uint32_t ticks_per_ms; /* of the timer, divided by 16 */

static void set(uint32_t lvt, uint32_t divide, uint32_t count)
{
    apic_write(APIC_LVT_TIMER, lvt | VECTOR);
    apic_write(APIC_DIVIDE, divide);
    apic_write(APIC_INITIAL, count);
}

static void stop(void)
{
    apic_write(APIC_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, MASKED | VECTOR);
    sti();
    cli();
    interrupts[VECTOR] = 0;
}

/* Ticks of about 20 ms, and how many ms it truly were; again when another VM had the CPU between the two clocks. */
static uint64_t count_ticks(uint32_t divide, uint64_t *ms)
{
    for (unsigned i = 0;; i++) {
        uint64_t before = rdtsc();
        set(MASKED, divide, UINT32_MAX);
        uint64_t start = rdtsc();
        wait_ms(20);
        uint64_t read = rdtsc();
        uint64_t gone = UINT32_MAX - apic_read(APIC_CURRENT), end = rdtsc();
        stop();
        *ms = (end - start) / tsc_per_ms();
        if (i == 20 || (start - before) + (end - read) < (end - start) / 8)
            return gone;
    }
}

static void rate(void)
{
    uint64_t ms;
    uint64_t slow = count_ticks(DIVIDE_16, &ms);
    ticks_per_ms = (uint32_t)(slow / (ms ? ms : 1));
    CHECK(ticks_per_ms > 10, "the timer makes %u ticks a ms", (uint64_t)ticks_per_ms);
    uint64_t fast = count_ticks(DIVIDE_1, &ms);
    known_alone("tcg", "QEMU's timer follows the wall clock, its TSC the host's");
    uint64_t wanted = ticks_per_ms * 16ull * (ms ? ms : 1);
    if (wanted >
        UINT32_MAX / 2) /* others had the CPU for so long that the count may have run out */
        return;
    CHECK(fast > wanted / 2 && fast < wanted * 2, "%u ticks by 1, %u expected", fast, wanted);
}

static void counts_down(void)
{
    set(MASKED, DIVIDE_16, 1000000000);
    uint32_t last = apic_read(APIC_CURRENT);
    CHECK(last <= 1000000000 && last > 0, "the count starts with %u", (uint64_t)last);
    for (unsigned i = 0; i < 20; i++) {
        for (volatile unsigned j = 0; j < 100; j++)
            ;
        uint32_t now = apic_read(APIC_CURRENT);
        CHECK(now <= last, "the count went up, from %u to %u", (uint64_t)last, (uint64_t)now);
        last = now;
    }
    stop();
    CHECK_EQ("the count of a stopped timer", apic_read(APIC_CURRENT), 0);
}

static void one_shot(void)
{
    uint64_t start = rdtsc();
    set(0, DIVIDE_16, 2 * ticks_per_ms);
    sti();
    WAIT_FOR(interrupts[VECTOR], PATIENCE_MS);
    uint64_t us = (rdtsc() - start) * 1000 / tsc_per_ms();
    CHECK_EQ("interrupts", interrupts[VECTOR], 1);
    CHECK_EQ("the count afterwards", apic_read(APIC_CURRENT), 0);
    wait_ms(6);
    cli();
    CHECK_EQ("interrupts some time later", interrupts[VECTOR], 1);
    stop();
    known_alone("tcg", "QEMU's timer follows the wall clock, its TSC the host's");
    CHECK(us >= 1800, "2 ms took %u us", us);
}

static void periodic(void)
{
    set(PERIODIC, DIVIDE_16, ticks_per_ms);
    sti();
    WAIT_FOR(interrupts[VECTOR] >= 5, PATIENCE_MS);
    cli();
    CHECK(interrupts[VECTOR] >= 5, "only %u interrupts", (uint64_t)interrupts[VECTOR]);
    uint32_t current = apic_read(APIC_CURRENT);
    CHECK(current <= ticks_per_ms, "the count is %u of %u", (uint64_t)current,
          (uint64_t)ticks_per_ms);
    stop();
    wait_ms(3);
    sti();
    cli();
    CHECK_EQ("interrupts of a stopped timer", interrupts[VECTOR], 0);
}

static void masked(void)
{
    set(MASKED, DIVIDE_16, ticks_per_ms);
    sti();
    wait_ms(4);
    cli();
    CHECK_EQ("interrupts of a masked timer", interrupts[VECTOR], 0);
    CHECK_EQ("the count of a masked timer that has run out", apic_read(APIC_CURRENT), 0);
    stop();
}

static bool has_deadline(void)
{
    if (cpuid(1, 0).ecx & LEAF1_ECX_DEADLINE)
        return true;
    skip("CPUID has no TSC deadline timer");
    return false;
}

static void deadline(void)
{
    if (!has_deadline())
        return;
    apic_write(APIC_LVT_TIMER, DEADLINE | VECTOR);
    for (unsigned ms = 0; ms < 4; ms++) {
        uint64_t at = rdtsc() + ms * tsc_per_ms(), came = 0;
        interrupts[VECTOR] = 0;
        wrmsr(MSR_DEADLINE, at);
        uint64_t told = rdmsr(MSR_DEADLINE);
        if (told || rdtsc() < at) /* 0: it has passed by now */
            CHECK_EQ("the deadline", told, at);
        sti();
        WAIT_FOR(interrupts[VECTOR], PATIENCE_MS);
        came = rdtsc();
        cli();
        CHECK_EQ("interrupts", interrupts[VECTOR], 1);
        CHECK(came >= at, "%u ticks too early", at - came);
        CHECK_EQ("the deadline afterwards", rdmsr(MSR_DEADLINE), 0);
    }
    interrupts[VECTOR] = 0;
    uint64_t at = rdtsc() + 20 * tsc_per_ms();
    wrmsr(MSR_DEADLINE, at);
    wrmsr(MSR_DEADLINE, 0); /* disarmed */
    bool is_in_time = rdtsc() < at;
    sti();
    wait_ms(25);
    cli();
    if (is_in_time)
        CHECK_EQ("interrupts after the deadline was taken back", interrupts[VECTOR], 0);
    stop();
}

/* Writes that belong to the other mode do nothing. */
static void deadline_modes(void)
{
    if (!has_deadline())
        return;
    apic_write(APIC_LVT_TIMER, VECTOR);
    wrmsr(MSR_DEADLINE, rdtsc() + 1);
    sti();
    wait_ms(2);
    CHECK_EQ("interrupts by a deadline in one-shot mode", interrupts[VECTOR], 0);
    CHECK_EQ("the deadline in one-shot mode", rdmsr(MSR_DEADLINE), 0);
    apic_write(APIC_LVT_TIMER, DEADLINE | VECTOR);
    apic_write(APIC_INITIAL, 10);
    wait_ms(2);
    cli();
    CHECK_EQ("interrupts by a count in deadline mode", interrupts[VECTOR], 0);
    CHECK_EQ("the count in deadline mode", apic_read(APIC_CURRENT), 0);
    wrmsr(MSR_DEADLINE, rdtsc() + (1ull << 40));
    apic_write(APIC_LVT_TIMER, VECTOR); /* leaving the mode disarms */
    apic_write(APIC_LVT_TIMER, DEADLINE | VECTOR);
    CHECK_EQ("the deadline after a change of modes", rdmsr(MSR_DEADLINE), 0);
    stop();
}

static void x2apic(void)
{
    if (!apic_x2_enable()) {
        skip("CPUID has no x2APIC");
        return;
    }
    one_shot();
    periodic();
    if (cpuid(1, 0).ecx & LEAF1_ECX_DEADLINE)
        deadline();
    apic_x2_disable();
}

/* A timer that runs out while the CPU sleeps wakes it. */
static void wakes(void)
{
    for (unsigned i = 0; i < 5; i++) {
        interrupts[VECTOR] = 0;
        set(0, DIVIDE_16, ticks_per_ms);
        while (!interrupts[VECTOR])
            sti_hlt_cli();
        CHECK_EQ("interrupts", interrupts[VECTOR], 1);
    }
    stop();
}

KERNEL("apic_timer", {"rate", rate}, {"counts_down", counts_down}, {"one_shot", one_shot},
       {"periodic", periodic}, {"masked", masked}, {"deadline", deadline},
       {"deadline_modes", deadline_modes}, {"x2apic", x2apic}, {"wakes", wakes});
