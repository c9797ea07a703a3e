// SPDX-License-Identifier: BSD-2-Clause
#include "lib/tsc.h"

#define MHZ 1000000ull
#define NS_SHIFTED ((unsigned __int128)1000000000 << 32)

unsigned tsc_host_mhz(const struct tsc_host *host)
{
    return (unsigned)((host->hz + MHZ / 2) / MHZ);
}

/* a / b with the fraction of a ratio; 0: it does not fit. */
static uint64_t quotient(uint64_t a, uint64_t b)
{
    unsigned __int128 q = ((unsigned __int128)a << LEAT_TSC_FRACTION_BITS) / b;
    return q >> 64 ? 0 : (uint64_t)q;
}

/* Of a multiplier what the guest's clock can have. Rounded down: Linux makes whole kHz of it, rounding down too. */
static uint64_t keep_32_bits(uint64_t mult)
{
    unsigned shift = mult >> 32 ? 32 - (unsigned)__builtin_clzll(mult) : 0;
    return mult >> shift << shift;
}

int tsc_rate_choose(const struct tsc_host *host, unsigned mhz, struct tsc_rate *rate)
{
    *rate = (struct tsc_rate){host->hz, LEAT_TSC_ONE, host->mult};
    if (mhz == 0 || mhz == tsc_host_mhz(host))
        return LEAT_OK;
    if (!host->fraction_bits)
        return LEAT_ENOSYS;
    const uint64_t hz = mhz * MHZ, step = 1ull << (LEAT_TSC_FRACTION_BITS - host->fraction_bits);
    uint64_t ratio = quotient(host->mult, keep_32_bits((uint64_t)(NS_SHIFTED / hz)));
    ratio = (ratio + step / 2) & ~(step - 1);
    if (!ratio || ratio >= LEAT_TSC_RATIO_END)
        return LEAT_EINVAL;
    *rate = (struct tsc_rate){hz, ratio, keep_32_bits(quotient(host->mult, ratio))};
    return LEAT_OK;
}

uint64_t tsc_to_host(const struct tsc_rate *rate, uint64_t ticks)
{
    if (rate->ratio == LEAT_TSC_ONE) /* without the division, which all other VMs would pay for */
        return ticks;
    unsigned __int128 shifted =
        ((unsigned __int128)ticks << LEAT_TSC_FRACTION_BITS) + rate->ratio - 1;
    unsigned __int128 host = shifted / rate->ratio;
    return host >> 64 ? UINT64_MAX : (uint64_t)host;
}
