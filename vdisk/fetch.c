// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads. Blocks that the cache holds are copied at once; for each run of the others a fetch is
 * made, or the one that is under way is joined. Data is received directly into cache blocks, which
 * stay put (BUSY) until then, and copied from there to everyone who waits. A fetch is of blocks that
 * the local store holds, or of others; what the store fails to give is asked of the server after all.
 *
 * A write that the server acknowledges while a fetch overlaps it makes the fetch's blocks stale:
 * those who waited before are still served (they ran concurrently with the write), nobody later.
 */
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

/* What nobody waits for leaves this many fetches, and requests at the server, to who does. */
#define DEMAND_FETCHES (EXPORT_FETCHES / 2)
#define AHEAD_REQUESTS 48u
#define AHEAD_LEAST 4u /* blocks of one */
#define SECTOR_BYTES 512u

static void fetch_done(struct nbd_command *command, uint32_t error);

/* It is not at the server any more. */
static void landed(struct vdisk_export *e, struct fetch *f, bool is_lost)
{
    sharing_landed(f->tenant, SHARE_DOWN, &f->flight, is_lost);
    e->flying--;
    e->ahead_flying -= f->ahead_bytes;
    f->ahead_bytes = 0;
}

/* Unanswered when the session was lost. */
static void fetch_taken_back(struct nbd_command *command)
{
    struct vdisk_export *e = command->owner;
    struct fetch *f = LIST_ENTRY(command, struct fetch, command);
    landed(e, f, true);
    f->is_queued = true;
    list_push_back(f->is_ahead ? &e->ahead : &e->demand, &f->node);
}

void fetch_init(struct vdisk_export *e)
{
    list_init(&e->demand);
    list_init(&e->ahead);
    list_init(&e->fetch_free);
    list_init(&e->local_free);
    list_init(&e->held);
    list_init(&e->refuted);
    list_init(&e->starved);
    for (uint32_t i = 0; i < EXPORT_FETCHES + LOCAL_FETCHES; i++) {
        struct fetch *f = &e->fetches[i];
        f->command.done = fetch_done;
        f->command.lost = fetch_taken_back;
        f->command.owner = e;
        f->is_local = i >= EXPORT_FETCHES;
        list_push_back(f->is_local ? &e->local_free : &e->fetch_free, &f->node);
    }
}

uint32_t fetch_unit(const struct vdisk_export *e)
{
    uint32_t blocks = e->identity.min_block / CACHE_BLOCK_BYTES;
    return blocks ? blocks : 1;
}

/* What nobody waits for comes in pieces of an eighth of the window: a read that somebody waits for
 * finds at most the rest of one before it, and the window is still used well. */
static uint32_t most_blocks(const struct vdisk_export *e, enum cache_source source, bool is_local)
{
    uint32_t blocks = e->identity.max_block / CACHE_BLOCK_BYTES;
    blocks = blocks < FETCH_BLOCKS ? blocks : FETCH_BLOCKS;
    if (is_local)
        return blocks;
    uint64_t piece = meter_window(&e->meter) / 8 / CACHE_BLOCK_BYTES;
    uint32_t turn = sharing_piece(e->engine, SHARE_DOWN, FETCH_BLOCKS * CACHE_BLOCK_BYTES);
    if (source == CACHE_DEMAND || turn / CACHE_BLOCK_BYTES < piece)
        piece = turn / CACHE_BLOCK_BYTES;
    uint32_t least = fetch_unit(e) > AHEAD_LEAST ? fetch_unit(e) : AHEAD_LEAST;
    piece = piece < least ? least : piece;
    return piece < blocks ? (uint32_t)piece : blocks;
}

/* Not in the cache, nor on its way there, and a hole or not. */
static bool is_absent(const struct vdisk_export *e, uint64_t block, bool is_hole)
{
    return cache_find(&e->engine->cache, e->id, block) == CACHE_NONE &&
           extents_is_zero(&e->extents, block) == is_hole;
}

bool fetch_is_missing(const struct vdisk_export *e, uint64_t block)
{
    return is_absent(e, block, false);
}

/* Of those of the server's that somebody waits for. */
static void count_demand(struct fetch *f)
{
    if (f->is_ahead || f->is_local)
        return;
    f->counted = f->count;
    f->tenant->fetches++;
    f->tenant->blocks += f->counted;
}

static void count_none(struct fetch *f)
{
    f->tenant->fetches -= f->counted != 0;
    f->tenant->blocks -= f->counted;
    f->counted = 0;
}

/* Adds a unit of blocks; what the cache has of it comes once more, to nowhere. False: no room. */
static bool add_unit(struct vdisk_export *e, struct fetch *f, uint32_t unit)
{
    struct cache *c = &e->engine->cache;
    if (cache_room(c) < unit + verify_reserve(e, f->first_block) * VERIFY_UNIT_BLOCKS)
        return false;
    for (uint32_t i = 0; i < unit; i++) {
        uint64_t block = f->first_block + f->count;
        uint32_t slot = CACHE_NONE;
        if (verify_has_block(e, block) && cache_find(c, e->id, block) == CACHE_NONE)
            slot = cache_claim(c, e->id, block, f);
        f->slots[f->count++] = slot;
    }
    return true;
}

void fetch_aim(struct vdisk_export *e, struct fetch *f)
{
    static uint8_t nowhere[CACHE_BLOCK_BYTES];
    uint64_t offset = f->first_block * CACHE_BLOCK_BYTES;
    uint64_t bytes = (uint64_t)f->count * CACHE_BLOCK_BYTES;
    if (bytes > e->identity.size_bytes - offset)
        bytes = e->identity.size_bytes - offset;
    for (uint32_t i = 0; i < f->count; i++)
        f->pages[i] =
            f->slots[i] == CACHE_NONE ? nowhere : cache_data(&e->engine->cache, f->slots[i]);
    f->command.type = NBD_CMD_READ;
    f->command.flags = 0;
    f->command.offset = offset;
    f->command.length = (uint32_t)bytes;
    f->command.pages = f->pages;
}

/* A fetch that is free, if there is room for it and for those that it may have to wait for. */
static struct fetch *take_free(struct vdisk_export *e, struct tenant *t, uint64_t first,
                               bool is_local)
{
    uint32_t reserve = verify_reserve(e, first), unit = fetch_unit(e);
    uint32_t left = is_local ? LOCAL_FETCHES - e->local_count : EXPORT_FETCHES - e->fetch_count;
    if (left <= reserve || cache_room(&e->engine->cache) < unit + reserve * VERIFY_UNIT_BLOCKS)
        return NULL;
    struct list *node = list_pop(is_local ? &e->local_free : &e->fetch_free);
    if (!node)
        return NULL;
    struct fetch *f = LIST_ENTRY(node, struct fetch, node);
    e->fetch_count += !is_local;
    e->local_count += is_local;
    f->tenant = tenant_get(t);
    f->count = f->counted = 0;
    f->waiters = NULL;
    f->ahead_bytes = 0;
    f->is_from_disk = f->is_held = f->is_hole = false;
    f->lies = 0;
    f->stuck_ns = 0;
    return f;
}

struct fetch *fetch_make(struct vdisk_export *e, struct tenant *t, uint64_t first, uint64_t end,
                         enum cache_source source)
{
    uint32_t unit = fetch_unit(e);
    bool is_local = local_holds(e, first - first % unit, unit);
    /* What is held back waits for hash blocks: those come whatever the tenant has. */
    if (source == CACHE_DEMAND && !is_local && !verify_is_tree(e) && sharing_is_greedy(e, t, unit))
        return NULL;
    struct fetch *f = take_free(e, t, first, is_local);
    if (!f)
        return NULL;
    uint32_t most = most_blocks(e, source, is_local);
    if (!is_local)
        extents_touch(e, first);
    f->first_block = first - first % unit;
    f->is_ahead = source != CACHE_DEMAND;
    f->source = (uint8_t)source;
    while (f->count + unit <= most && f->first_block + f->count < end &&
           (f->count == 0 || (fetch_is_missing(e, f->first_block + f->count) &&
                              local_holds(e, f->first_block + f->count, unit) == is_local)) &&
           add_unit(e, f, unit))
        ;
    count_demand(f);
    fetch_aim(e, f);
    verify_prepare(e, f);
    f->is_queued = !is_local;
    if (is_local) {
        local_read(e, f);
        return f;
    }
    e->demand_made += source == CACHE_DEMAND;
    list_push_back(f->is_ahead ? &e->ahead : &e->demand, &f->node);
    return f;
}

/* A run of holes that have to be judged before anybody may believe in them. */
static struct fetch *make_hole(struct vdisk_export *e, struct tenant *t, uint64_t first,
                               uint64_t end)
{
    struct fetch *f = sharing_is_greedy(e, t, 1) ? NULL : take_free(e, t, first, false);
    if (!f)
        return NULL;
    f->first_block = first;
    f->is_ahead = f->is_queued = false;
    f->source = CACHE_DEMAND;
    f->is_hole = true;
    while (f->count < FETCH_BLOCKS && first + f->count < end &&
           is_absent(e, first + f->count, true) && add_unit(e, f, 1))
        ;
    count_demand(f);
    fetch_aim(e, f);
    verify_prepare(e, f);
    fetch_arrived(e, f, 0);
    return f;
}

void fetch_from_server(struct vdisk_export *e, struct fetch *f)
{
    if (e->link == LINK_FAILED) {
        fetch_end(e, f, NBD_EIO);
        return;
    }
    f->is_queued = true;
    list_push_back(f->is_ahead ? &e->ahead : &e->demand, &f->node);
}

uint32_t fetch_ahead(struct vdisk_export *e, uint64_t first, uint64_t end, enum cache_source source)
{
    struct cache *c = &e->engine->cache;
    uint32_t unit = fetch_unit(e);
    bool is_local = local_holds(e, first - first % unit, unit);
    bool is_much = is_local ? e->local.ahead >= LOCAL_AHEAD
                            : e->fetch_count >= EXPORT_FETCHES - DEMAND_FETCHES ||
                                  local_is_behind(e) || !sharing_may_go_ahead(e);
    /* Half of the cache is for what is really asked for; of what tenants share, each has a part of its own (sharing.c),
       and what nobody waits for one of the same size. */
    uint32_t part = is_shared(e->engine) ? e->engine->tenant_count + 1 : 2;
    if (is_much || c->busy >= c->count / part || list_is_empty(&e->disks))
        return 0;
    struct tenant *t = LIST_ENTRY(e->disks.next, struct vdisk_disk, node)->tenant;
    struct fetch *f = fetch_make(e, t, first, end, source);
    return f ? (uint32_t)(f->first_block + f->count - first) : 0;
}

static void count_used(struct vdisk_export *e, enum cache_source source)
{
    if (source == CACHE_DEMAND)
        return;
    e->used_bytes[source] += CACHE_BLOCK_BYTES;
    if (source == CACHE_AROUND)
        e->around.used++;
}

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

/* The part of a hole that the request wants. */
static void zero_block(uint64_t block, struct vdisk_request *r)
{
    for (uint64_t from = 0, to; next_part(r, block, &from, &to); from = to) {
        if (r->data)
            memset(r->data + (from - r->offset), 0, to - from);
        r->hole_bytes += to - from;
    }
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

void fetch_copy(struct vdisk_export *e, const struct fetch *f, uint32_t i, struct vdisk_request *r)
{
    if (f->is_hole) {
        zero_block(f->first_block + i, r);
        return;
    }
    uint64_t bytes = copy_block(&e->engine->cache, f->slots[i], f->first_block + i, r);
    r->disk_bytes += f->is_from_disk ? bytes : 0;
}

void fetch_hurry(struct vdisk_export *e, struct fetch *f, struct tenant *t)
{
    if (!f->is_ahead)
        return;
    f->is_ahead = false;
    if (f->is_queued) { /* it overtakes the rest of the read-ahead */
        tenant_put(f->tenant);
        f->tenant = tenant_get(t);
        list_remove(&f->node);
        list_push_back(&e->demand, &f->node);
    }
    count_demand(f);
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

/* The fetch that brings an absent block. NULL: none to be had now. */
static struct fetch *make_for(struct vdisk_export *e, const struct vdisk_request *r, uint64_t block,
                              uint64_t end)
{
    if (e->verify && fetch_unit(e) == 1 && extents_is_zero(&e->extents, block))
        return make_hole(e, r->disk->tenant, block, end);
    return fetch_make(e, r->disk->tenant, block, end, CACHE_DEMAND);
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
            r->ram_bytes += copy_block(c, slot, block, r);
            count_used(e, cache_touch(c, slot));
            r->next_block++;
            continue;
        }
        if (slot == CACHE_NONE && extents_is_zero(&e->extents, block) &&
            (!e->verify || verify_is_zero(e, r->disk->tenant, block))) {
            zero_block(block, r);
            r->next_block++;
            continue;
        }
        struct fetch *f = slot != CACHE_NONE ? c->slots[slot].fetch
                                             : make_for(e, r, block, run_end(r, block, end));
        if (!f)
            return false;
        uint64_t last = block;
        while (last + 1 < end && last + 1 < f->first_block + f->count) {
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
    c->hole_bytes += r->hole_bytes;
    c->ram_bytes += r->ram_bytes;
    c->disk_bytes += r->disk_bytes;
    c->network_bytes += r->length - r->hole_bytes - r->ram_bytes - r->disk_bytes - r->held_bytes;
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

bool fetch_read(struct vdisk_export *e, struct vdisk_request *r)
{
    uint64_t made = e->demand_made;
    r->pieces = 0;
    r->status = LEAT_OK;
    r->hole_bytes = r->ram_bytes = r->disk_bytes = 0;
    r->next_block = r->offset / CACHE_BLOCK_BYTES;
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

static bool is_starved(const struct vdisk_request *r)
{
    return !list_is_empty(&r->node);
}

static void finish_read(struct vdisk_request *r)
{
    count_sources(r);
    disk_complete(r, r->status);
}

void fetch_retry_starved(struct vdisk_export *e)
{
    for (struct list *n = e->starved.next, *next; n != &e->starved; n = next) {
        struct vdisk_request *r = LIST_ENTRY(n, struct vdisk_request, node);
        next = n->next;
        if (!advance(e, r)) {
            if (!is_shared(e->engine))
                return;
            continue; /* it may be its tenant alone that has too much */
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
    if (r->next_block > block)
        r->next_block = block;
    if (!is_starved(r))
        list_push_back(&e->starved, &r->node);
}

static void served(struct vdisk_export *e, struct waiter *w, bool has_failed, bool is_alone)
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

void fetch_served(struct vdisk_export *e, struct waiter *w)
{
    served(e, w, false, false);
}

void fetch_keep(struct vdisk_export *e, struct fetch *f, uint32_t i, enum cache_source source)
{
    struct cache *c = &e->engine->cache;
    uint32_t slot = f->slots[i];
    cache_fill(c, slot, source);
    if (!f->is_from_disk && c->slots[slot].state == CACHE_VALID)
        local_keep(e, slot);
}

/* What becomes of its blocks in the cache. */
static void settle_slots(struct vdisk_export *e, struct fetch *f, const bool *is_used, bool is_kept)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->slots[i] == CACHE_NONE)
            continue;
        if (!is_kept) {
            cache_drop(&e->engine->cache, f->slots[i]);
            continue;
        }
        fetch_keep(e, f, i, is_used[i] ? CACHE_DEMAND : (enum cache_source)f->source);
        if (is_used[i])
            count_used(e, f->source);
    }
}

void fetch_end(struct vdisk_export *e, struct fetch *f, uint32_t error)
{
    struct waiter *waiters = f->waiters;
    uint32_t f_count = f->count, unit = fetch_unit(e);
    f->waiters = NULL;
    bool is_used[FETCH_BLOCKS] = {false};
    if (!error)
        for (struct waiter *w = waiters; w; w = w->next)
            for (uint64_t b = w->first_block; w->request && b <= w->last_block; b++) {
                uint32_t i = (uint32_t)(b - f->first_block);
                if (f->slots[i] == CACHE_NONE) /* it had it before: refute.c */
                    continue;
                fetch_copy(e, f, i, w->request);
                is_used[i] = true;
            }
    settle_slots(e, f, is_used, !error && !f->is_hole);
    f->count = 0;
    f->is_held = false;
    list_remove(&f->node);
    list_push_back(f->is_local ? &e->local_free : &e->fetch_free, &f->node);
    e->fetch_count -= !f->is_local;
    e->local_count -= f->is_local;
    count_none(f);
    tenant_put(f->tenant);
    while (waiters) { /* completions last: they may submit new reads */
        struct waiter *w = waiters;
        waiters = w->next;
        bool is_alone = w->last_block / unit - w->first_block / unit + 1 == f_count / unit;
        served(e, w, error, is_alone);
    }
}

void fetch_arrived(struct vdisk_export *e, struct fetch *f, uint32_t error)
{
    if (!e->verify)
        fetch_end(e, f, error);
    else if (error)
        verify_failed(e, f, error);
    else
        verify_take(e, f);
}

static void fetch_done(struct nbd_command *command, uint32_t error)
{
    struct vdisk_export *e = command->owner;
    struct fetch *f = LIST_ENTRY(command, struct fetch, command);
    landed(e, f, error);
    if (error)
        vdisk_log(e->engine, "vdisk: %s:%u export '%s': read of %u bytes at %llu: server error %u",
                  e->host, e->port, e->name, (unsigned)command->length,
                  (unsigned long long)command->offset, (unsigned)error);
    else
        meter_answered(&e->meter, &f->mark, command->sent_ns, command->length, e->engine->now_ns);
    fetch_arrived(e, f, error);
}

static void send_fetch(struct vdisk_export *e, struct fetch *f, struct nbd_session *session)
{
    list_remove(&f->node);
    f->is_queued = false;
    f->ahead_bytes = f->is_ahead ? f->command.length : 0;
    e->ahead_flying += f->ahead_bytes;
    e->source_requests[f->source]++;
    e->source_bytes[f->source] += f->command.length;
    meter_sent(&e->meter, &f->mark, e->flying++, e->engine->now_ns);
    sharing_sent(f->tenant, SHARE_DOWN, &f->flight, f->command.length);
    nbd_session_send(session, &f->command, e->engine->now_ns);
}

static bool send_demand(struct vdisk_export *e)
{
    bool any = false;
    for (struct list *n = e->demand.next, *next; n != &e->demand; n = next) {
        struct fetch *f = LIST_ENTRY(n, struct fetch, node);
        next = n->next;
        struct nbd_session *session = link_room(e, f->command.length);
        if (!session)
            break;
        if (!sharing_may_send(e, f->tenant, SHARE_DOWN, f->command.length))
            continue;
        send_fetch(e, f, session);
        any = true;
    }
    return any;
}

/* As much as the window has room for, so that little lies before the next read that somebody waits
 * for. */
static void send_ahead(struct vdisk_export *e)
{
    uint64_t window = meter_window(&e->meter);
    while (!list_is_empty(&e->ahead) || stream_next(e)) {
        struct fetch *f = LIST_ENTRY(e->ahead.next, struct fetch, node);
        if (e->ahead_flying >= window || e->flying >= AHEAD_REQUESTS) {
            e->meter.was_full = true;
            return;
        }
        struct nbd_session *session = link_room(e, f->command.length);
        if (!session || !sharing_may_send(e, f->tenant, SHARE_DOWN, f->command.length))
            return;
        send_fetch(e, f, session);
    }
}

bool fetch_pump(struct vdisk_export *e)
{
    stream_run(e);
    bool any = send_demand(e), is_idle = e->flying == 0;
    if (list_is_empty(&e->demand) && e->engine->is_ahead_time)
        send_ahead(e); /* answers will call here again, if there are some to come */
    return any || (is_idle && e->flying);
}

void fetch_fail_all(struct vdisk_export *e)
{
    struct list *const lists[] = {&e->demand, &e->ahead, &e->held, &e->refuted};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        while (!list_is_empty(lists[i]))
            fetch_end(e, LIST_ENTRY(lists[i]->next, struct fetch, node), NBD_EIO);
    struct list *node;
    while ((node = list_pop(&e->starved)))
        disk_complete(LIST_ENTRY(node, struct vdisk_request, node), LEAT_EIO);
}

void fetch_forget(struct vdisk_export *e, struct vdisk_request *r)
{
    list_remove(&r->node); /* starved */
    for (uint32_t i = 0; r->pieces && i < EXPORT_FETCHES + LOCAL_FETCHES; i++)
        for (struct waiter *w = e->fetches[i].waiters; w; w = w->next)
            if (w->request == r) {
                w->request = NULL;
                r->pieces--;
            }
}

bool fetch_waits_locally(const struct vdisk_export *e, const struct vdisk_request *r)
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
