// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/cache.h"

#include <stdlib.h>
#include <string.h>

#define MIN_BYTES (2ull << 20)
#define UNUSED_USES 2u         /* what nobody has used yet stays longer than what was used once */
#define MAX_BYTES (1ull << 40) /* indices are 32 bits */

bool cache_init(struct cache *c, uint64_t bytes)
{
    memset(c, 0, sizeof *c);
    if (bytes < MIN_BYTES)
        bytes = MIN_BYTES;
    if (bytes > MAX_BYTES)
        bytes = MAX_BYTES;
    c->count = (uint32_t)(bytes / CACHE_BLOCK_BYTES);
    uint32_t buckets = 1;
    while (buckets < c->count)
        buckets *= 2;
    c->mask = buckets - 1;
    c->buckets = malloc((size_t)buckets * sizeof c->buckets[0]);
    c->slots = calloc(c->count, sizeof c->slots[0]);
    c->memory = malloc(((size_t)c->count + 1) * CACHE_BLOCK_BYTES);
    if (!c->buckets || !c->slots || !c->memory) {
        cache_free(c);
        return false;
    }
    size_t beyond = (uintptr_t)c->memory % CACHE_BLOCK_BYTES;
    c->data = c->memory + (beyond ? CACHE_BLOCK_BYTES - beyond : 0);
    for (uint32_t i = 0; i < buckets; i++)
        c->buckets[i] = CACHE_NONE;
    for (uint32_t i = 0; i < c->count; i++)
        c->slots[i].next = i + 1 < c->count ? i + 1 : CACHE_NONE;
    c->free = 0;
    c->free_count = c->count;
    return true;
}

void cache_free(struct cache *c)
{
    free(c->buckets);
    free(c->slots);
    free(c->memory);
    memset(c, 0, sizeof *c);
}

static void unhash(struct cache *c, uint32_t index)
{
    struct cache_slot *s = &c->slots[index];
    if (!s->is_hashed)
        return;
    uint32_t *link = &c->buckets[cache_bucket(c, s->export_id, s->block)];
    while (*link != index)
        link = &c->slots[*link].next;
    *link = s->next;
    s->is_hashed = false;
}

void cache_drop(struct cache *c, uint32_t index)
{
    struct cache_slot *s = &c->slots[index];
    if (s->state == CACHE_FREE)
        return;
    unhash(c, index);
    if (s->state == CACHE_BUSY)
        c->busy--;
    else if (s->source != CACHE_DEMAND) {
        c->unused--;
        c->wasted[s->source]++;
    }
    s->source = CACHE_DEMAND;
    s->is_unsaved = false;
    s->state = CACHE_FREE;
    s->fetch = NULL;
    s->next = c->free;
    c->free = index;
    c->free_count++;
}

void cache_release(struct cache *c, uint32_t index)
{
    struct cache_slot *s = &c->slots[index];
    if (s->source != CACHE_DEMAND)
        c->unused--;
    s->source = CACHE_DEMAND;
    cache_drop(c, index);
}

static bool evict(struct cache *c)
{
    if (c->busy == c->count)
        return false;
    for (;;) { /* ends: every VALID block loses a use at each turn, and there is one */
        uint32_t i = c->hand;
        c->hand = i + 1 == c->count ? 0 : i + 1;
        struct cache_slot *s = &c->slots[i];
        if (s->state != CACHE_VALID)
            continue;
        if (s->uses == 0) {
            cache_drop(c, i);
            return true;
        }
        s->uses--;
    }
}

uint32_t cache_claim(struct cache *c, uint32_t export_id, uint64_t block, struct fetch *fetch)
{
    if (c->free == CACHE_NONE && !evict(c))
        return CACHE_NONE;
    uint32_t i = c->free;
    struct cache_slot *s = &c->slots[i];
    c->free = s->next;
    c->free_count--;
    uint32_t *bucket = &c->buckets[cache_bucket(c, export_id, block)];
    *s = (struct cache_slot){.block = block,
                             .export_id = export_id,
                             .next = *bucket,
                             .state = CACHE_BUSY,
                             .is_hashed = true,
                             .fetch = fetch};
    *bucket = i;
    c->busy++;
    return i;
}

void cache_fill(struct cache *c, uint32_t index, enum cache_source source)
{
    struct cache_slot *s = &c->slots[index];
    if (!s->is_hashed) {
        cache_drop(c, index);
        return;
    }
    s->state = CACHE_VALID;
    s->fetch = NULL;
    c->busy--;
    s->source = (uint8_t)source;
    if (source != CACHE_DEMAND) {
        c->unused++;
        s->uses = UNUSED_USES;
    }
}

void cache_make_stale(struct cache *c, uint32_t index)
{
    unhash(c, index);
}

static void change_block(struct cache *c, uint32_t index, uint64_t offset, uint64_t length,
                         enum cache_change change, const uint8_t *data)
{
    struct cache_slot *s = &c->slots[index];
    if (s->state == CACHE_BUSY) {
        cache_make_stale(c, index);
        return;
    }
    if (change == CACHE_UNKNOWN) {
        cache_drop(c, index);
        return;
    }
    uint64_t start = s->block * CACHE_BLOCK_BYTES, end = start + CACHE_BLOCK_BYTES;
    uint64_t from = offset > start ? offset : start;
    uint64_t to = offset + length < end ? offset + length : end;
    uint8_t *place = cache_data(c, index) + (from - start);
    if (change == CACHE_ZEROED)
        memset(place, 0, to - from);
    else
        memcpy(place, data + (from - offset), to - from);
}

void cache_change(struct cache *c, uint32_t export_id, uint64_t offset, uint64_t length,
                  enum cache_change change, const uint8_t *data)
{
    if (length == 0)
        return;
    uint64_t first = offset / CACHE_BLOCK_BYTES;
    uint64_t last = (offset + length - 1) / CACHE_BLOCK_BYTES;
    if (last - first < c->count) {
        for (uint64_t block = first; block <= last; block++) {
            uint32_t i = cache_find(c, export_id, block);
            if (i != CACHE_NONE)
                change_block(c, i, offset, length, change, data);
        }
        return;
    }
    for (uint32_t i = 0; i < c->count; i++) { /* the range is larger than the cache */
        struct cache_slot *s = &c->slots[i];
        if (s->is_hashed && s->export_id == export_id && s->block >= first && s->block <= last)
            change_block(c, i, offset, length, change, data);
    }
}

void cache_drop_export(struct cache *c, uint32_t export_id)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (c->slots[i].state != CACHE_FREE && c->slots[i].export_id == export_id)
            cache_drop(c, i);
}
