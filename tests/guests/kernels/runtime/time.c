/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/kernels/runtime/kernel.h"

#define PIT_HZ 1193182u
#define PIT_CHANNEL_2 0x42
#define PIT_MODE 0x43
#define PORT_B 0x61
#define CALIBRATE_MS 10u

/* By the 8254's second channel: mode 0, gate on, until its output rises. */
static uint64_t calibrate(void)
{
    unsigned count = PIT_HZ / 1000 * CALIBRATE_MS;
    out8(PORT_B, (in8(PORT_B) & 0xfc) | 1);
    out8(PIT_MODE, 0xb0);
    out8(PIT_CHANNEL_2, count & 0xff);
    out8(PIT_CHANNEL_2, (uint8_t)(count >> 8));
    uint64_t start = rdtsc();
    while (!(in8(PORT_B) & 0x20))
        pause();
    return (rdtsc() - start) / CALIBRATE_MS;
}

uint64_t tsc_per_ms(void)
{
    static uint64_t known;
    if (!known && has_leaf(0x15)) {
        struct cpuid r = cpuid(0x15, 0);
        if (r.eax && r.ebx && r.ecx)
            known = (uint64_t)r.ecx * r.ebx / r.eax / 1000;
    }
    if (!known)
        known = calibrate();
    return known;
}

void wait_ms(unsigned ms)
{
    uint64_t end = rdtsc() + ms * tsc_per_ms();
    while (rdtsc() < end)
        pause();
}
