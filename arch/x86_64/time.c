// SPDX-License-Identifier: BSD-2-Clause
/* How fast the TSC and the APIC timer tick: measured against the 8254, whose rate is the same
 * everywhere. */
#include "arch/x86_64/time.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/log.h"

#define PIT_HZ 1193182u
#define PIT_COUNT 29830u /* 25 ms */
#define PIT_COMMAND 0x43
#define PIT_CHANNEL_2 0x42
#define PIT_GATE 0x61
#define GATE_ON 0x01u
#define GATE_SPEAKER 0x02u
#define GATE_OUT 0x20u
#define CHANNEL_2_MODE_0 0xb0 /* low then high byte, terminal count */
#define SPINS_MAX 20000000u
#define RUNS 3u

struct rates {
    uint64_t tsc; /* ticks in PIT_COUNT */
    uint64_t apic;
};

static bool measure(struct rates *rates)
{
    uint32_t gate = port_in(PIT_GATE, 1) & ~(GATE_SPEAKER | GATE_ON);
    port_out(PIT_GATE, 1, gate | GATE_ON);
    port_out(PIT_COMMAND, 1, CHANNEL_2_MODE_0);
    port_out(PIT_CHANNEL_2, 1, PIT_COUNT & 0xff);
    port_out(PIT_CHANNEL_2, 1, PIT_COUNT >> 8);
    apic_timer_count_start();
    uint64_t start = rdtsc();
    uint32_t spins = 0;
    while (!(port_in(PIT_GATE, 1) & GATE_OUT))
        if (++spins == SPINS_MAX)
            return false;
    rates->tsc = rdtsc() - start;
    rates->apic = apic_timer_counted();
    return spins > 0;
}

/* SDM vol. 3, 20.7.3: crystal * EBX / EAX; 0 if the CPU does not say. */
static uint64_t tsc_hz_by_cpuid(void)
{
    if (cpu_features.max_leaf < 0x15)
        return 0;
    struct cpuid r = cpuid(0x15, 0);
    return r.eax && r.ebx && r.ecx ? (uint64_t)r.ecx * r.ebx / r.eax : 0;
}

uint64_t time_calibrate(void)
{
    struct rates best = {0}, now;
    for (unsigned i = 0; i < RUNS; i++) {
        if (measure(&now) && (best.tsc == 0 || now.tsc < best.tsc))
            best = now; /* whatever disturbs a run makes it longer */
    }
    uint64_t told = tsc_hz_by_cpuid();
    uint64_t hz = best.tsc * PIT_HZ / PIT_COUNT;
    if (hz == 0) {
        if (told == 0)
            panic("cannot tell how fast the TSC ticks: no working 8254, nothing in CPUID");
        hz = told;
    } else if (told > hz - hz / 50 && told < hz + hz / 50) {
        hz = told; /* exact, and not the fancy of an emulator */
    }
    if (best.tsc == 0 && !cpu_features.tsc_deadline)
        panic("cannot tell how fast the APIC timer ticks: no working 8254");
    apic_timer_setup(best.tsc ? (best.apic << 32) / best.tsc : 0);
    return hz;
}
