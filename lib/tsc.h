// SPDX-License-Identifier: BSD-2-Clause
/*
 * The rate of a VM's TSC. Its ticks are the host's, counted in another unit: (host * ratio) >> 48 in 128 bits, as the
 * CPU scales (SDM vol. 3, 26.3; AMD APM vol. 2, 15.30.5). Both are absolute, so nothing adds up over the years; each
 * vCPU's own offset comes on top. Portable; any thread.
 */
#ifndef LIB_TSC_H
#define LIB_TSC_H

#include <leat/vcpu.h>

struct tsc_rate {
    uint64_t hz;    /* what the guest is told */
    uint64_t ratio; /* ticks for one of the host's, as vcpu_create takes it; never 0 */
    uint64_t
        mult; /* ns of leat_clock = (ticks * mult) >> 32. At most 32 bits are significant where ratio is not one */
};

/* Of the machine, as the info page (struct leat_info) tells it. */
struct tsc_host {
    uint64_t hz, mult;
    unsigned fraction_bits;
};

/* The host's rate, rounded: what a VM with that tsc_mhz has without scaling. */
unsigned tsc_host_mhz(const struct tsc_host *host);

/*
 * mhz 0, or the host's rounded MHz: the host's own ticks. LEAT_ENOSYS: the CPU does not scale. LEAT_EINVAL: too far from
 * the host's rate for the CPU. On errors *rate is the host's own. The ratio is chosen so that the paravirtual clock, whose
 * multiplier has 32 bits, goes exactly like leat_clock; hz may be off by 2^-31 for that.
 */
int tsc_rate_choose(const struct tsc_host *host, unsigned mhz, struct tsc_rate *rate);

static inline uint64_t tsc_from_host(const struct tsc_rate *rate, uint64_t host_ticks)
{
    return (uint64_t)((unsigned __int128)host_ticks * rate->ratio >> LEAT_TSC_FRACTION_BITS);
}

/* The host's first tick at which tsc_from_host gives that many or more; UINT64_MAX when there is none. */
uint64_t tsc_to_host(const struct tsc_rate *rate, uint64_t ticks);

#endif
