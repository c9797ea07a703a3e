// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/tls/cpu_random.h"

#include <cpuid.h>

/* SDM vol. 2A, CPUID: leaf 1, ECX[30]; leaf 7.0, EBX[18]. */
#define HAS_RDRAND (1u << 30)
#define HAS_RDSEED (1u << 18)

/* SDM vol. 2B, RDRAND and RDSEED: the carry flag says whether there was a number. */
static bool rdrand(uint64_t *word)
{
    bool is_good;
    __asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(is_good));
    return is_good;
}

static bool rdseed(uint64_t *word)
{
    bool is_good;
    __asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(is_good));
    if (!is_good)
        __builtin_ia32_pause();
    return is_good;
}

static uint64_t ticks(void)
{
    return __builtin_ia32_rdtsc();
}

void cpu_random_find(struct tls_random_source *source)
{
    unsigned a, b, c, d;
    *source = (struct tls_random_source){.ticks = ticks};
    if (__get_cpuid(1, &a, &b, &c, &d) && (c & HAS_RDRAND))
        source->rdrand = rdrand;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & HAS_RDSEED))
        source->rdseed = rdseed;
}
