// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a domain gets of the CPUs: its weight as virtual time, its cap as credit. Pure arithmetic on
 * TSC ticks; tested on the host.
 */
#ifndef KERNEL_SHARE_H
#define KERNEL_SHARE_H

#include <leat/syscall.h>

struct share {
    uint32_t weight, cap_permille, flags; /* as in struct leat_domain_sched */
    bool is_capped;     /* its credit is used up: its shared threads must wait until resume_at */
    uint64_t cpus;      /* bit n: may run on CPU n */
    uint64_t vtime;     /* CPU time that it has had, times LEAT_SCHED_WEIGHT / weight */
    int64_t credit;     /* with a cap: ticks that it may still run; less than 0: overrun */
    uint64_t credit_at; /* when credit was right */
    uint64_t capped_at, capped_ticks;
};

/* The rate of the TSC, so that credit can be measured in time: ticks of one period of a cap. */
extern uint64_t share_period;

void share_init(struct share *share);

/* LEAT_OK, or LEAT_EINVAL and nothing has changed. online: the CPUs that there are; cpus must name one of them. */
int share_set(struct share *share, const struct leat_domain_sched *wanted, uint64_t online,
              uint64_t now);

/* It has run for `ticks` until now. True: its credit has just been used up. */
bool share_charge(struct share *share, uint64_t ticks, uint64_t now);

/* When a capped one may run again. */
uint64_t share_resume_at(const struct share *share);
void share_resume(struct share *share, uint64_t now, bool has_waited);

/* The longest that it may run from now on before the next share_charge: `slice`, or less. */
uint64_t share_slice(const struct share *share, uint64_t slice);

/* Ticks of CPU time as virtual time. */
static inline uint64_t share_virtual(const struct share *share, uint64_t ticks)
{
    return ticks * LEAT_SCHED_WEIGHT / share->weight;
}

/* Virtual times wrap around, with small weights after weeks. True: a is the earlier one. */
static inline bool share_is_before(uint64_t a, uint64_t b)
{
    return (int64_t)(a - b) < 0;
}

/* Who has slept gets at most so much ahead of the others: vtime >= floor. */
static inline void share_catch_up(struct share *share, uint64_t floor)
{
    if (share_is_before(share->vtime, floor))
        share->vtime = floor;
}

#endif
