// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads. Blocks that the cache holds are copied at once; for each run of the others a fetch is made
 * (fetch.c), or the one that is under way is joined. Of what the disk itself holds (request->held),
 * nothing is asked for or copied.
 */
#include <string.h>

#include "vdisk/engine.h"

#define SECTOR_BYTES 512u

/* What of a block the request is still without: the range's part, or, if it holds some of the block
 * already, the next run of sectors from `from` on that it does not hold. False: nothing more. */
static bool next_part(const struct vdisk_request *r, uint64_t block, uint64_t *from, uint64_t *to)
{
    uint64_t start = block * CACHE_BLOCK_BYTES, end = start + CACHE_BLOCK_BYTES;
    uint64_t first = r->offset > start ? r->offset : start;
    uint8_t held = r->held ? r->held[block - r->offset / CACHE_BLOCK_BYTES] : 0;
    if (*from < first)
        *from = first;
    if (r->offset + r->length < end)
        end = r->offset + r->length;
    *to = end;
    if (!held || *from >= end)
        return *from < end;
    while (*from < end && held >> ((*from - start) / SECTOR_BYTES) & 1)
        *from += SECTOR_BYTES;
    for (*to = *from; *to < end && !(held >> ((*to - start) / SECTOR_BYTES) & 1);)
        *to += SECTOR_BYTES;
    return *from < end;
}

/* Copies what a cache block and the request have in common: so many bytes. */
static uint64_t copy_block(const struct cache *c, uint32_t slot, uint64_t block,
                           struct vdisk_request *r)
{
    const uint8_t *data = cache_data(c, slot);
    uint64_t bytes = 0;
    for (uint64_t from = 0, to; next_part(r, block, &from, &to); from = to) {
        if (r->data)
            memcpy(r->data + (from - r->offset), data + from % CACHE_BLOCK_BYTES, to - from);
        bytes += to - from;
    }
    return bytes;
}

/* The part of a hole that the request wants: so many bytes. */
static uint64_t zero_block(uint64_t block, struct vdisk_request *r)
{
    uint64_t bytes = 0;
    for (uint64_t from = 0, to; next_part(r, block, &from, &to); from = to) {
        if (r->data)
            memset(r->data + (from - r->offset), 0, to - from);
        bytes += to - from;
    }
    return bytes;
}

static bool is_held(const struct vdisk_request *r, uint64_t block)
{
    uint64_t from = 0, to;
    return r->held && !next_part(r, block, &from, &to);
}

/* Where the run of blocks that begins with `first`, and of which the request lacks something, ends. */
static uint64_t run_end(const struct vdisk_request *r, uint64_t first, uint64_t end)
{
    uint64_t block = first + 1;
    while (r->held && block < end && !is_held(r, block))
        block++;
    return r->held ? block : end;
}

void read_copy(struct vdisk_export *e, const struct fetch *f, uint32_t i, struct vdisk_request *r)
{
    if (f->is_hole) {
        r->hole_bytes += zero_block(f->first_block + i, r);
        return;
    }
    uint64_t bytes = copy_block(&e->engine->cache, f->slots[i], f->first_block + i, r);
    r->disk_bytes += f->is_from_disk ? bytes : 0;
}

/* Makes r wait for blocks [first, last] of f. False: no memory. */
static bool join(struct vdisk_export *e, struct fetch *f, struct vdisk_request *r, uint64_t first,
                 uint64_t last)
{
    struct waiter *w = waiter_get(e->engine);
    if (!w)
        return false;
    *w =
        (struct waiter){.next = f->waiters, .request = r, .first_block = first, .last_block = last};
    f->waiters = w;
    r->pieces++;
    fetch_hurry(e, f, r->disk->tenant);
    return true;
}

static bool is_starved(const struct vdisk_request *r)
{
    return !list_is_empty(&r->node);
}

/* Another of its tenant has waited for a fetch before it; what the store has needs none of them. */
static bool is_behind(struct vdisk_export *e, const struct vdisk_request *r, uint64_t block)
{
    uint32_t unit = fetch_unit(e);
    const struct list *n = e->starved.next;
    while (n != &e->starved && n != &r->node &&
           LIST_ENTRY(n, struct vdisk_request, node)->disk->tenant != r->disk->tenant)
        n = n->next;
    return n != &e->starved && n != &r->node && !local_holds(e, block - block % unit, unit);
}

/* The fetch that brings an absent block. NULL: none to be had now. */
static struct fetch *make_for(struct vdisk_export *e, const struct vdisk_request *r, uint64_t block,
                              uint64_t end)
{
    if (is_behind(e, r, block))
        return NULL;
    if (e->verify && fetch_unit(e) == 1 && extents_is_zero(&e->extents, block))
        return fetch_make_hole(e, r->disk->tenant, block, end);
    return fetch_make(e, r->disk->tenant, block, end, CACHE_DEMAND);
}

/* What a block that is there counts for; once, even if the read goes over it again (try_alone). */
static void pass_block(struct vdisk_request *r, uint64_t *count, uint64_t bytes)
{
    if (r->next_block >= r->counted_block)
        *count += bytes;
    r->next_block++;
}

/* r waits for the block already: *last of its part of f. */
static bool is_joined(const struct fetch *f, const struct vdisk_request *r, uint64_t block,
                      uint64_t *last)
{
    for (const struct waiter *w = f->waiters; w; w = w->next)
        if (w->request == r && w->first_block <= block && block <= w->last_block) {
            *last = w->last_block;
            return true;
        }
    return false;
}

/* Goes on with a read at block r->next_block. False: it must wait for a free fetch. */
static bool advance(struct vdisk_export *e, struct vdisk_request *r)
{
    struct cache *c = &e->engine->cache;
    uint64_t end = (r->offset + r->length + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
    while (r->next_block < end) {
        uint64_t block = r->next_block;
        if (is_held(r, block)) {
            r->next_block++;
            continue;
        }
        uint32_t slot = cache_find(c, e->id, block);
        if (slot != CACHE_NONE && c->slots[slot].state == CACHE_VALID) {
            pass_block(r, &r->ram_bytes, copy_block(c, slot, block, r));
            fetch_count_used(e, cache_touch(c, slot));
            continue;
        }
        if (slot == CACHE_NONE && extents_is_zero(&e->extents, block) &&
            (!e->verify || verify_is_zero(e, r->disk->tenant, block))) {
            pass_block(r, &r->hole_bytes, zero_block(block, r));
            continue;
        }
        struct fetch *f = slot != CACHE_NONE ? c->slots[slot].fetch
                                             : make_for(e, r, block, run_end(r, block, end));
        if (!f)
            return false;
        uint64_t last = block;
        if (block < r->counted_block && is_joined(f, r, block, &last)) {
            r->next_block = last + 1;
            continue;
        }
        uint64_t run = run_end(r, block, end);
        while (last + 1 < run && last + 1 < f->first_block + f->count) {
            uint32_t next = cache_find(c, e->id, last + 1);
            if (next == CACHE_NONE || c->slots[next].fetch != f)
                break; /* it has become stale, or has been fetched again */
            last++;
        }
        if (!join(e, f, r, block, last))
            return false;
        r->next_block = last + 1;
    }
    return true;
}

static void count_sources(const struct vdisk_request *r)
{
    struct vdisk_counters *c = &r->disk->counters;
    uint64_t known = r->hole_bytes + r->ram_bytes + r->disk_bytes + r->held_bytes;
    c->hole_bytes += r->hole_bytes;
    c->ram_bytes += r->ram_bytes;
    c->disk_bytes += r->disk_bytes;
    /* More can be known when a block that was there had to be fetched again (try_alone). */
    c->network_bytes += known < r->length ? r->length - known : 0;
}

/* The recorder learns which blocks of the image it needs. */
static void note(struct vdisk_export *e, const struct vdisk_request *r)
{
    uint64_t end = (r->offset + r->length - 1) / CACHE_BLOCK_BYTES + 1, next;
    for (uint64_t block = r->next_block; block < end; block = next) {
        next = block + 1;
        if (is_held(r, block))
            continue;
        next = run_end(r, block, end);
        stream_note(e, block, next - 1);
    }
}

bool read_begin(struct vdisk_export *e, struct vdisk_request *r)
{
    uint64_t made = e->demand_made;
    r->pieces = 0;
    r->status = LEAT_OK;
    r->hole_bytes = r->ram_bytes = r->disk_bytes = 0;
    r->next_block = r->counted_block = r->offset / CACHE_BLOCK_BYTES;
    note(e, r);
    bool is_under_way = advance(e, r);
    if (!is_under_way)
        list_push_back(&e->starved, &r->node);
    if (r->pieces || !is_under_way) {
        e->stream.demand_ns = e->engine->now_ns;
        return e->demand_made != made;
    }
    count_sources(r);
    disk_complete(r, LEAT_OK);
    return false;
}

static void finish_read(struct vdisk_request *r)
{
    count_sources(r);
    disk_complete(r, r->status);
}

void read_retry_starved(struct vdisk_export *e)
{
    for (struct list *n = e->starved.next, *next; n != &e->starved; n = next) {
        struct vdisk_request *r = LIST_ENTRY(n, struct vdisk_request, node);
        next = n->next;
        if (!advance(e, r)) {
            if (!is_shared(e->engine) && !e->engine->store)
                return;
            continue; /* it may be its tenant alone that has too much; the store may have another's */
        }
        list_remove(&r->node);
        if (r->pieces == 0)
            finish_read(r);
    }
}

/* A fetch that was larger than what the request wants of it failed: the bad sector may lie
 * elsewhere. */
static void try_alone(struct vdisk_export *e, struct vdisk_request *r, uint64_t block)
{
    if (r->counted_block < r->next_block)
        r->counted_block = r->next_block;
    if (r->next_block > block)
        r->next_block = block;
    if (!is_starved(r))
        list_push_back(&e->starved, &r->node);
}

void read_served(struct vdisk_export *e, struct waiter *w, bool has_failed, bool is_alone)
{
    struct vdisk_request *r = w->request;
    if (r) {
        r->pieces--;
        if (has_failed && is_alone)
            r->status = LEAT_EIO;
        else if (has_failed)
            try_alone(e, r, w->first_block);
        if (r->pieces == 0 && !is_starved(r))
            finish_read(r);
    }
    waiter_put(e->engine, w);
}

void read_forget(struct vdisk_export *e, struct vdisk_request *r)
{
    list_remove(&r->node); /* starved */
    for (uint32_t i = 0; r->pieces && i < EXPORT_FETCHES + LOCAL_FETCHES; i++)
        for (struct waiter *w = e->fetches[i].waiters; w; w = w->next)
            if (w->request == r) {
                w->request = NULL;
                r->pieces--;
            }
}

bool read_waits_locally(const struct vdisk_export *e, const struct vdisk_request *r)
{
    uint32_t local = 0;
    for (uint32_t i = EXPORT_FETCHES; r->pieces && i < EXPORT_FETCHES + LOCAL_FETCHES; i++)
        for (struct waiter *w = e->fetches[i].waiters;
             w && (e->fetches[i].is_reading || e->fetches[i].is_held); w = w->next)
            local += w->request == r;
    if (r->op != LEAT_BLK_READ || local != r->pieces)
        return false;
    if (r->next_block >= e->identity.size_bytes / CACHE_BLOCK_BYTES)
        return !is_starved(r);
    return !is_starved(r) || local_holds(e, r->next_block, 1);
}
