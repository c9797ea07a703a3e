// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fetches: runs of blocks on their way into the cache. Data is received directly into cache blocks,
 * which stay put (BUSY) until then, and copied from there to everyone who waits (read.c). A fetch
 * is of blocks that the local store holds, or of others; what the store fails to give is asked of
 * the server after all.
 *
 * A write that the server acknowledges while a fetch overlaps it makes the fetch's blocks stale:
 * those who waited before are still served (they ran concurrently with the write), nobody later.
 */
#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define AHEAD_REQUESTS 48u /* at the server: what nobody waits for leaves the others to who does */
#define AHEAD_LEAST 4u     /* blocks of one */

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
struct fetch *fetch_make_hole(struct vdisk_export *e, struct tenant *t, uint64_t first,
                              uint64_t end)
{
    struct fetch *f = sharing_is_greedy(e, t, 1) ? NULL : take_free(e, t, first, false);
    if (!f)
        return NULL;
    f->first_block = first;
    f->is_ahead = f->is_queued = false;
    f->source = CACHE_DEMAND;
    f->is_hole = true;
    uint32_t most = most_blocks(e, CACHE_DEMAND, false); /* refuted, it is asked of the server */
    while (f->count < most && first + f->count < end && is_absent(e, first + f->count, true) &&
           add_unit(e, f, 1))
        ;
    count_demand(f);
    fetch_aim(e, f);
    verify_prepare(e, f);
    fetch_arrived(e, f, 0);
    return f;
}

static void give_up(struct vdisk_export *e, struct fetch *f)
{
    struct waiter *waiters = f->waiters;
    f->waiters = NULL;
    fetch_end(e, f, NBD_EIO);
    while (waiters) {
        struct waiter *w = waiters;
        waiters = w->next;
        read_served(e, w, true, false); /* it tries again */
    }
}

void fetch_anew(struct vdisk_export *e)
{
    struct list *const lists[] = {&e->demand, &e->ahead};
    for (unsigned i = 0; i < 2; i++)
        while (!list_is_empty(lists[i]))
            give_up(e, LIST_ENTRY(lists[i]->next, struct fetch, node));
}

void fetch_from_server(struct vdisk_export *e, struct fetch *f)
{
    uint32_t unit = fetch_unit(e);
    if (e->link == LINK_FAILED) {
        fetch_end(e, f, NBD_EIO);
        return;
    }
    if (f->first_block % unit || f->count % unit) { /* made before the unit has grown */
        give_up(e, f);
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
    bool is_boot = source == CACHE_PROFILE;
    bool is_much = is_local ? e->local.ahead >= LOCAL_AHEAD
                            : local_is_behind(e) || !sharing_may_go_ahead(e, is_boot);
    /* Half of the cache is for what is really asked for; where tenants share it each has a part
     * (sharing.c), and what nobody waits for has one of the same size. */
    uint32_t part = is_shared(e->engine) ? e->engine->tenant_count + 1 : 2;
    if (is_much || c->busy >= c->count / part || list_is_empty(&e->disks))
        return 0;
    struct vdisk_disk *d = LIST_ENTRY(e->disks.next, struct vdisk_disk, node);
    if (is_boot && e->stream.disk)
        d = e->stream.disk;
    struct fetch *f = fetch_make(e, d->tenant, first, end, source);
    return f ? (uint32_t)(f->first_block + f->count - first) : 0;
}

void fetch_count_used(struct vdisk_export *e, enum cache_source source)
{
    if (source == CACHE_DEMAND)
        return;
    e->used_bytes[source] += CACHE_BLOCK_BYTES;
    if (source == CACHE_AROUND)
        e->around.used++;
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
            fetch_count_used(e, f->source);
    }
}

void fetch_end(struct vdisk_export *e, struct fetch *f, uint32_t error)
{
    struct waiter *waiters = f->waiters;
    uint32_t fetched = f->count, unit = fetch_unit(e);
    f->waiters = NULL;
    bool is_used[FETCH_BLOCKS] = {false};
    if (!error)
        for (struct waiter *w = waiters; w; w = w->next)
            for (uint64_t b = w->first_block; w->request && b <= w->last_block; b++) {
                uint32_t i = (uint32_t)(b - f->first_block);
                if (f->slots[i] == CACHE_NONE) /* it had it before: refute.c */
                    continue;
                read_copy(e, f, i, w->request);
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
        bool is_alone = w->last_block / unit - w->first_block / unit + 1 == fetched / unit;
        read_served(e, w, error, is_alone);
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
                  e->host, e->port, e->shown, (unsigned)command->length,
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
    f->flight.is_patient = f->is_ahead;
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

static struct fetch *first_of_profile(struct vdisk_export *e)
{
    for (struct list *n = e->ahead.next; n != &e->ahead; n = n->next)
        if (LIST_ENTRY(n, struct fetch, node)->source == CACHE_PROFILE)
            return LIST_ENTRY(n, struct fetch, node);
    return stream_next_of_profile(e) ? LIST_ENTRY(e->ahead.prev, struct fetch, node) : NULL;
}

bool fetch_boot(struct vdisk_export *e)
{
    struct fetch *f;
    bool any = false;
    while (e->link == LINK_UP && stream_is_booting(e) && (f = first_of_profile(e))) {
        struct nbd_session *session = link_room(e, f->command.length);
        if (!session || !sharing_may_boot(e, f->tenant))
            break;
        send_fetch(e, f, session);
        any = true;
    }
    return any;
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
