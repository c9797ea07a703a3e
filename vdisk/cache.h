// SPDX-License-Identifier: BSD-2-Clause
/*
 * The RAM cache: 4 KiB blocks of all exports in one bounded pool, found by hash, evicted by a CLOCK
 * with a small use count (a block that is read once, as by a scan, goes before one that is read
 * again).
 *
 * A block is FREE, BUSY (a fetch fills it; it is never evicted; found by lookups, so that equal
 * requests join) or VALID.
 */
#ifndef VDISK_CACHE_H
#define VDISK_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#define CACHE_BLOCK_BYTES 4096u
#define CACHE_NONE UINT32_MAX

enum cache_state { CACHE_FREE, CACHE_BUSY, CACHE_VALID };

/* Why a block was asked for. All but DEMAND: before anybody wanted it. */
enum cache_source {
    CACHE_DEMAND,  /* somebody waited */
    CACHE_PROFILE, /* the boot profile */
    CACHE_AHEAD,   /* it follows what is read in sequence */
    CACHE_AROUND,  /* it lies near what was missed */
    CACHE_FILL,    /* the rest of the image, while the link is idle */
    CACHE_SOURCES
};

struct fetch;

struct cache_slot {
    uint64_t block; /* number of the 4 KiB block in its export */
    uint32_t export_id;
    uint32_t next;   /* in the hash chain, or in the list of free slots */
    uint8_t state;   /* enum cache_state */
    uint8_t uses;    /* of the CLOCK: 0 .. 3 */
    uint8_t source;  /* enum cache_source; CACHE_DEMAND once somebody has used it */
    bool is_unsaved; /* local_cache.c: it is in the queue of what the store is to have */
    bool is_hashed;  /* false: a BUSY block whose content has become stale while it was fetched */
    struct fetch *fetch; /* that fills a BUSY block */
};

struct cache {
    uint32_t count, mask, hand, free, busy;
    uint32_t free_count;
    uint32_t unused;                /* VALID blocks that nobody has used yet */
    uint64_t wasted[CACHE_SOURCES]; /* blocks that have left unused, by their source */
    uint32_t *buckets;
    struct cache_slot *slots;
    uint8_t *memory; /* as allocated */
    uint8_t *data;   /* block i at i * CACHE_BLOCK_BYTES, aligned */
};

/* False: no memory. */
bool cache_init(struct cache *c, uint64_t bytes);
void cache_free(struct cache *c);

static inline uint8_t *cache_data(const struct cache *c, uint32_t index)
{
    return c->data + (uint64_t)index * CACHE_BLOCK_BYTES;
}

static inline uint32_t cache_bucket(const struct cache *c, uint32_t export_id, uint64_t block)
{
    /* Fibonacci hashing: the golden ratio of 2^64 spreads runs of blocks over the table. */
    return (uint32_t)(((block + ((uint64_t)export_id << 40)) * 0x9e3779b97f4a7c15ull) >> 32) &
           c->mask;
}

/* Index of the block, BUSY or VALID; CACHE_NONE. */
static inline uint32_t cache_find(const struct cache *c, uint32_t export_id, uint64_t block)
{
    uint32_t i = c->buckets[cache_bucket(c, export_id, block)];
    while (i != CACHE_NONE && (c->slots[i].block != block || c->slots[i].export_id != export_id))
        i = c->slots[i].next;
    return i;
}

/* Somebody has used a VALID block. Returns what had brought it, CACHE_DEMAND at all times but the
 * first. */
static inline uint8_t cache_touch(struct cache *c, uint32_t index)
{
    struct cache_slot *s = &c->slots[index];
    uint8_t source = s->source;
    if (source != CACHE_DEMAND) { /* from now on as if it had been asked for */
        s->source = CACHE_DEMAND;
        s->uses = 0;
        c->unused--;
    } else if (s->uses < 3) {
        s->uses++;
    }
    return source;
}

/* A BUSY block for a fetch; the block must not be there yet. CACHE_NONE: all are busy. */
uint32_t cache_claim(struct cache *c, uint32_t export_id, uint64_t block, struct fetch *fetch);
/* BUSY to VALID (or FREE if it has become stale). source: CACHE_DEMAND, or why it was fetched
 * although nobody waits for it. */
void cache_fill(struct cache *c, uint32_t index, enum cache_source source);
/* Any state to FREE. */
void cache_drop(struct cache *c, uint32_t index);
/* A VALID block that is to be had elsewhere too goes: not wasted, if nobody has used it. */
void cache_release(struct cache *c, uint32_t index);
/* A BUSY block will not be found again and not become VALID. */
void cache_make_stale(struct cache *c, uint32_t index);
/* Blocks that cache_claim can give. */
static inline uint32_t cache_room(const struct cache *c)
{
    return c->count - c->busy;
}

/* What becomes of [offset, offset + length) of an export in the cache after a change on the server.
 */
enum cache_change { CACHE_WRITTEN, CACHE_ZEROED, CACHE_UNKNOWN };
/* data: of CACHE_WRITTEN. VALID blocks follow the change (or are dropped), BUSY ones become stale.
 */
void cache_change(struct cache *c, uint32_t export_id, uint64_t offset, uint64_t length,
                  enum cache_change change, const uint8_t *data);
/* Every block of an export. */
void cache_drop_export(struct cache *c, uint32_t export_id);

#endif
