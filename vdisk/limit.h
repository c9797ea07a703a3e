// SPDX-License-Identifier: BSD-2-Clause
/*
 * How much a disk, or a tenant with all its disks, may do in a second: requests, and bytes that are
 * read and written. Two token buckets, each kept as one time: when all that has been taken will have
 * been paid for, at that rate. A request may go when nothing is owed, however large it is; the next
 * one waits until it is paid for. What was not used is kept for LIMIT_BURST_NS: after a pause that
 * much may go at once. No clock of its own: times are the caller's, in ns, and may stand still.
 */
#ifndef VDISK_LIMIT_H
#define VDISK_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_BURST_NS 100000000ull

struct limit_rates {
    uint64_t iops;      /* requests a second; 0: no limit */
    uint64_t bandwidth; /* bytes a second; 0: no limit */
};

struct limit {
    struct limit_rates rates;
    uint64_t requests_paid_ns, bytes_paid_ns;
};

static inline bool limit_is_on(const struct limit *l)
{
    return l->rates.iops || l->rates.bandwidth;
}
/* The next request may go at that time. */
uint64_t limit_when(const struct limit *l);
/* One request of that many bytes (below 2^34) goes now. */
void limit_take(struct limit *l, uint64_t bytes, uint64_t now_ns);

#endif
