// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/limit.h"

#define SECOND_NS 1000000000ull

/* Rounded up, so that the limit is never exceeded. */
static void take(uint64_t *paid_ns, uint64_t rate, uint64_t count, uint64_t now_ns)
{
    uint64_t earliest = now_ns > LIMIT_BURST_NS ? now_ns - LIMIT_BURST_NS : 0;
    if (!rate)
        return;
    if (*paid_ns < earliest)
        *paid_ns = earliest;
    *paid_ns += (count * SECOND_NS + rate - 1) / rate;
}

uint64_t limit_when(const struct limit *l)
{
    return l->requests_paid_ns > l->bytes_paid_ns ? l->requests_paid_ns : l->bytes_paid_ns;
}

void limit_take(struct limit *l, uint64_t bytes, uint64_t now_ns)
{
    take(&l->requests_paid_ns, l->rates.iops, 1, now_ns);
    take(&l->bytes_paid_ns, l->rates.bandwidth, bytes, now_ns);
}
