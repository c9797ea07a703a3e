// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/share.h"

#define WEIGHT_MAX 10000u
#define CAP_MAX 64000u /* of all CPUs that there can be */

uint64_t share_period;

void share_init(struct share *share)
{
    *share = (struct share){.weight = LEAT_SCHED_WEIGHT, .cpus = UINT64_MAX};
}

static int64_t cap_of(const struct share *share, uint64_t ticks)
{
    return (int64_t)(ticks * share->cap_permille / 1000);
}

static void refill(struct share *share, uint64_t now)
{
    if ((int64_t)(now - share->credit_at) <= 0)
        return; /* another CPU's TSC may be a little ahead */
    uint64_t passed = now - share->credit_at;
    int64_t most = cap_of(share, 2 * share_period);
    /* A long time is cut, or the product would overflow; what is beyond `most` is lost anyway. */
    share->credit += cap_of(share, passed < 1000 * share_period ? passed : 1000 * share_period);
    if (share->credit > most)
        share->credit = most;
    share->credit_at = now;
}

int share_set(struct share *share, const struct leat_domain_sched *wanted, uint64_t online,
              uint64_t now)
{
    uint64_t cpus = wanted->cpus ? wanted->cpus : UINT64_MAX;
    if (wanted->weight == 0 || wanted->weight > WEIGHT_MAX || wanted->cap_permille > CAP_MAX ||
        (wanted->flags & ~(uint32_t)LEAT_SCHED_OWN_CORE) || !(cpus & online))
        return LEAT_EINVAL;
    share->weight = wanted->weight;
    share->cap_permille = wanted->cap_permille;
    share->flags = wanted->flags;
    share->cpus = cpus;
    share->credit = cap_of(share, share_period);
    share->credit_at = now;
    return LEAT_OK;
}

bool share_charge(struct share *share, uint64_t ticks, uint64_t now)
{
    share->vtime += share_virtual(share, ticks);
    if (!share->cap_permille)
        return false;
    share->credit -= (int64_t)ticks; /* before the limit of what can be saved up applies */
    refill(share, now);
    if (share->credit > 0 || share->is_capped)
        return false;
    share->is_capped = true;
    share->capped_at = now;
    return true;
}

uint64_t share_resume_at(const struct share *share)
{
    if (!share->cap_permille)
        return share->credit_at;
    uint64_t missing = (uint64_t)(cap_of(share, share_period) - share->credit);
    return share->credit_at + missing * 1000 / share->cap_permille + 1;
}

void share_resume(struct share *share, uint64_t now, bool has_waited)
{
    if (share->is_capped && has_waited)
        share->capped_ticks += now - share->capped_at;
    share->is_capped = false;
}

uint64_t share_slice(const struct share *share, uint64_t slice)
{
    if (!share->cap_permille || share->credit >= (int64_t)slice)
        return slice;
    uint64_t least = share_period / 16;
    return share->credit > (int64_t)least ? (uint64_t)share->credit : least;
}
