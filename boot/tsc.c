// SPDX-License-Identifier: BSD-2-Clause
/* How fast the TSC ticks: measured against the 8254, whose rate is the same everywhere. */
#include "boot/boot.h"

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

/* TSC ticks in PIT_COUNT; 0: the 8254 does not count. */
static uint64_t measure(void)
{
    uint8_t gate = boot_in8(PIT_GATE) & (uint8_t) ~(GATE_SPEAKER | GATE_ON);
    boot_out8(PIT_GATE, gate | GATE_ON);
    boot_out8(PIT_COMMAND, CHANNEL_2_MODE_0);
    boot_out8(PIT_CHANNEL_2, PIT_COUNT & 0xff);
    boot_out8(PIT_CHANNEL_2, PIT_COUNT >> 8);
    uint64_t start = boot_rdtsc();
    uint32_t spins = 0;
    while ((boot_in8(PIT_GATE) & GATE_OUT) == 0)
        if (++spins == SPINS_MAX)
            return 0;
    return spins > 0 ? boot_rdtsc() - start : 0;
}

/* SDM vol. 3, 20.7.3: crystal * EBX / EAX; 0 if the CPU does not say. */
static uint64_t told_by_cpuid(void)
{
    uint32_t eax = 0, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (eax < 0x15)
        return 0;
    eax = 0x15;
    ecx = 0;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return eax && ebx && ecx ? (uint64_t)ecx * ebx / eax : 0;
}

uint64_t tsc_measure(struct boot *boot)
{
    uint64_t best = 0, told = told_by_cpuid();
    EFI_TPL before = boot->services->RaiseTPL(TPL_HIGH_LEVEL); /* no interrupts */
    for (unsigned i = 0; i < RUNS; i++) {
        uint64_t ticks = measure();
        if (ticks != 0 && (best == 0 || ticks < best))
            best = ticks; /* whatever disturbs a run makes it longer */
    }
    boot->services->RestoreTPL(before);
    uint64_t hz = best * PIT_HZ / PIT_COUNT;
    if (hz == 0 && told == 0)
        say_fatal(boot,
                  "nothing tells how fast the CPU's clock (TSC) ticks: no working 8254, no CPUID");
    if (hz == 0 || (told > hz - hz / 50 && told < hz + hz / 50))
        hz = told; /* exact, and not the fancy of an emulator */
    /* Guests are told the rate in kHz: rounded for all, their clocks and the host's go alike. */
    return (hz + 500) / 1000 * 1000;
}
