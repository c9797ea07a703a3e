// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/profile/profile.h"

#include <stdlib.h>
#include <string.h>

#include "vdisk/profile/blockset.h"

#define PLAN_RUNS 64u     /* how far ahead neighbours are looked for: runs, */
#define PLAN_MS 1000u     /* time, */
#define PLAN_BLOCKS 1024u /* and what may come between */
#define PLAN_MOST 256u    /* blocks of a joined run */

void profile_free(struct profile *p)
{
    free(p->runs);
    memset(p, 0, sizeof *p);
}

bool profile_add(struct profile *p, uint64_t first, uint32_t count, uint32_t at_ms, uint8_t boots)
{
    if (p->blocks + count > PROFILE_MAX_BLOCKS)
        return false;
    struct profile_run *last = p->count ? &p->runs[p->count - 1] : NULL;
    if (last && last->first + last->count == first && last->at_ms == at_ms &&
        last->boots == boots) {
        last->count += count;
        p->blocks += count;
        return true;
    }
    if (p->count == PROFILE_MAX_RUNS)
        return false;
    if (p->count == p->room) {
        uint32_t room = p->room ? p->room * 2 : 256;
        struct profile_run *runs = realloc(p->runs, room * sizeof *runs);
        if (!runs)
            return false;
        p->runs = runs;
        p->room = room;
    }
    p->runs[p->count++] = (struct profile_run){first, count, at_ms, boots};
    p->blocks += count;
    return true;
}

static unsigned ones(unsigned bits)
{
    unsigned n = 0;
    for (; bits; bits &= bits - 1)
        n++;
    return n;
}

/* An old run's blocks that `seen` does not have yet; a profile that names a block twice has it once.
 * Stops adding at the limits: what comes last is needed least. */
static bool add_unseen(struct profile *to, struct blockset *seen, const struct profile_run *r,
                       uint8_t boots)
{
    for (uint32_t i = 0; i < r->count; i++) {
        int was = blockset_add(seen, r->first + i);
        if (was < 0)
            return false;
        if (was == 0 && !profile_add(to, r->first + i, 1, r->at_ms, boots))
            return to->count == PROFILE_MAX_RUNS || to->blocks == PROFILE_MAX_BLOCKS;
    }
    return true;
}

static bool is_kept(const struct profile_run *r, uint32_t boots)
{
    return ones((r->boots << 1) & 0xffu) * 2 >= boots;
}

/* Old's runs by first block, to look up how often older boots needed one. */
struct history {
    struct profile_run *runs;
    uint32_t count;
};

static int by_first(const void *a, const void *b)
{
    uint64_t x = ((const struct profile_run *)a)->first, y = ((const struct profile_run *)b)->first;
    return x < y ? -1 : x > y;
}

static bool history_init(struct history *h, const struct profile *old)
{
    h->count = old->count;
    h->runs = malloc((old->count + 1u) * sizeof *h->runs);
    if (!h->runs)
        return false;
    if (old->count)
        memcpy(h->runs, old->runs, old->count * sizeof *h->runs);
    qsort(h->runs, h->count, sizeof *h->runs, by_first);
    return true;
}

static uint8_t history_of(const struct history *h, uint64_t block)
{
    uint32_t low = 0, high = h->count;
    while (low < high) { /* the first run that begins behind the block */
        uint32_t middle = low + (high - low) / 2;
        if (h->runs[middle].first <= block)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low)
        return 0;
    const struct profile_run *r = &h->runs[low - 1];
    return block - r->first < r->count ? r->boots : 0;
}

static bool add_boot_run(struct profile *merged, struct blockset *seen, const struct history *h,
                         const struct profile_run *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        struct profile_run one = {r->first + i, 1, r->at_ms, 1};
        uint8_t boots = (uint8_t)(history_of(h, r->first + i) << 1 | 1);
        if (!add_unseen(merged, seen, &one, boots))
            return false;
    }
    return true;
}

static bool merge_by_time(const struct profile *old, const struct profile *boot,
                          struct profile *merged, struct blockset *seen, const struct history *h)
{
    struct blockset own = {0}; /* what `boot` has stands where it has it */
    bool is_good = true;
    for (uint32_t i = 0; is_good && i < boot->count; i++)
        for (uint32_t k = 0; is_good && k < boot->runs[i].count; k++)
            is_good = blockset_add(&own, boot->runs[i].first + k) >= 0;
    for (uint32_t o = 0, b = 0; is_good && (o < old->count || b < boot->count);) {
        bool is_old =
            b == boot->count || (o < old->count && old->runs[o].at_ms < boot->runs[b].at_ms);
        if (!is_old) {
            is_good = add_boot_run(merged, seen, h, &boot->runs[b++]);
            continue;
        }
        const struct profile_run *r = &old->runs[o++];
        if (!is_kept(r, merged->boots))
            continue;
        for (uint32_t k = 0; is_good && k < r->count; k++) {
            struct profile_run one = {r->first + k, 1, r->at_ms, 1};
            if (!blockset_has(&own, one.first))
                is_good = add_unseen(merged, seen, &one, (uint8_t)(r->boots << 1));
        }
    }
    blockset_free(&own);
    return is_good;
}

bool profile_merge(const struct profile *old, const struct profile *boot, struct profile *merged)
{
    static const struct profile none;
    struct blockset seen = {0};
    struct history h;
    if (old->size_bytes != boot->size_bytes)
        old = &none;
    if (!history_init(&h, old))
        return false;
    merged->size_bytes = boot->size_bytes;
    merged->boots = old->boots < PROFILE_BOOTS ? old->boots + 1 : PROFILE_BOOTS;
    bool is_good = merge_by_time(old, boot, merged, &seen, &h);
    free(h.runs);
    blockset_free(&seen);
    if (!is_good)
        profile_free(merged);
    return is_good;
}

/* Lengthens *r by runs behind `from` that touch it. */
static void join_neighbours(const struct profile *p, uint32_t from, bool *taken,
                            struct profile_run *r)
{
    uint32_t between = 0;
    for (uint32_t i = from; i < p->count && i < from + PLAN_RUNS && r->count < PLAN_MOST; i++) {
        const struct profile_run *n = &p->runs[i];
        if (n->at_ms - r->at_ms > PLAN_MS || between > PLAN_BLOCKS)
            return;
        if (taken[i])
            continue;
        bool is_behind = n->first == r->first + r->count;
        if (is_behind || n->first + n->count == r->first) {
            r->first = is_behind ? r->first : n->first;
            r->count += n->count;
            taken[i] = true;
        } else {
            between += n->count;
        }
    }
}

bool profile_plan(const struct profile *p, struct profile *plan)
{
    bool *taken = calloc(p->count + 1u, sizeof *taken), is_good = taken;
    plan->size_bytes = p->size_bytes;
    plan->boots = p->boots;
    for (uint32_t i = 0; is_good && i < p->count; i++) {
        if (taken[i])
            continue;
        struct profile_run r = p->runs[i];
        join_neighbours(p, i + 1, taken, &r);
        is_good = profile_add(plan, r.first, r.count, r.at_ms, r.boots);
    }
    free(taken);
    if (!is_good)
        profile_free(plan);
    return is_good;
}
