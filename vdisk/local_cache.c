// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/local_cache.h"

#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"

#define STUCK_NS SECOND_NS         /* a store that takes nothing for so long is not waited for */
#define REFUSED_MOST 32u           /* fetches in a row that a store may fail to serve */
#define RETRY_NS (SECOND_NS / 100) /* it takes nothing now */

bool local_queue_init(struct vdisk *v)
{
    struct local_queue *q = &v->unsaved;
    q->room = v->cache.count;
    q->slots = malloc((size_t)q->room * sizeof q->slots[0]);
    q->buffer = malloc(LOCAL_PUT_BLOCKS * CACHE_BLOCK_BYTES);
    if (q->slots && q->buffer)
        return true;
    local_queue_free(v);
    return false;
}

void local_queue_free(struct vdisk *v)
{
    free(v->unsaved.slots);
    free(v->unsaved.buffer);
    memset(&v->unsaved, 0, sizeof v->unsaved);
}

void local_begin(struct vdisk_export *e)
{
    struct local_cache *l = &e->local;
    struct vdisk *v = e->engine;
    if (l->image && export_is_written(e))
        local_end(e, false);
    if (l->has_tried || !v->store || !e->has_content || !e->was_up || export_is_written(e))
        return;
    l->has_tried = true;
    l->is_off = false;
    l->refused_in_row = 0;
    l->image = store_image(v->store, e->content_id, e->identity.size_bytes);
    if (!l->image)
        export_log(e, "the local store has no place for another image: nothing of it is kept");
}

void local_end(struct vdisk_export *e, bool is_dead)
{
    struct local_cache *l = &e->local;
    for (uint32_t i = 0; is_dead && i < EXPORT_FETCHES + LOCAL_FETCHES; i++) {
        struct fetch *f = &e->fetches[i];
        if (!f->is_reading)
            continue;
        f->is_reading = false;
        fetch_from_server(e, f);
    }
    if (is_dead)
        l->reading = l->ahead = 0;
    else if (l->image && l->reading)
        return; /* local_begin comes again */
    else if (l->image)
        store_release(l->image);
    l->image = NULL;
}

static uint32_t bytes_of(const struct vdisk_export *e, uint64_t block, uint32_t count)
{
    uint64_t left = e->identity.size_bytes - block * CACHE_BLOCK_BYTES;
    uint64_t bytes = (uint64_t)count * CACHE_BLOCK_BYTES;
    return (uint32_t)(bytes < left ? bytes : left);
}

bool local_holds(const struct vdisk_export *e, uint64_t block, uint32_t count)
{
    const struct local_cache *l = &e->local;
    return l->image && !l->is_off && notes_image_is_read(e) && !export_is_written(e) &&
           store_holds(l->image, block * CACHE_BLOCK_BYTES, bytes_of(e, block, count));
}

/* Was every sector of the fetch copied? */
static bool is_whole(const struct vdisk_export *e, const struct fetch *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        uint32_t sectors = bytes_of(e, f->first_block + i, 1) / STORE_SECTOR_BYTES;
        if (f->held[i] != (1u << sectors) - 1)
            return false;
    }
    return true;
}

/* Each damaged block is asked of the store once, but of a dying disk there may be very many. */
static void count_refused(struct vdisk_export *e, const struct fetch *f)
{
    struct local_cache *l = &e->local;
    l->refused++;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->held[i])
            l->refused_in_row = 0; /* not all of it is bad */
    if (++l->refused_in_row != REFUSED_MOST)
        return;
    l->is_off = true;
    export_log(e, "the local store does not give back what it holds: it is not used any more");
}

static void has_read(struct store_op *op, enum store_status status)
{
    struct fetch *f = LIST_ENTRY(op, struct fetch, op);
    struct vdisk_export *e = op->owner;
    struct local_cache *l = &e->local;
    l->reading--;
    l->ahead -= f->is_local_ahead;
    f->is_reading = false;
    e->engine->has_read = true;
    if (status == STORE_OK && is_whole(e, f) && e->link != LINK_FAILED) {
        l->refused_in_row = 0;
        l->requests++;
        l->bytes += op->length;
        f->is_from_disk = true;
        fetch_arrived(e, f, 0);
    } else {
        count_refused(e, f);
        fetch_from_server(e, f);
    }
}

void local_read(struct vdisk_export *e, struct fetch *f)
{
    struct local_cache *l = &e->local;
    f->is_reading = true;
    f->is_local_ahead = f->is_ahead;
    l->reading++;
    l->ahead += f->is_local_ahead;
    f->op = (struct store_op){.type = STORE_READ,
                              .object = l->image,
                              .offset = f->first_block * CACHE_BLOCK_BYTES,
                              .length = bytes_of(e, f->first_block, f->count),
                              .pages = f->pages,
                              .held = f->held,
                              .done = has_read,
                              .owner = e};
    store_submit(e->engine->store, &f->op);
}

void local_forget(struct vdisk_export *e, uint64_t block)
{
    if (e->local.image)
        store_forget(e->local.image, block);
}

void local_keep(struct vdisk_export *e, uint32_t slot)
{
    struct local_queue *q = &e->engine->unsaved;
    struct cache_slot *s = &e->engine->cache.slots[slot];
    if (!e->local.image || e->local.is_off || s->is_unsaved || q->count == q->room ||
        export_is_written(e) || !notes_image_is_read(e) || !identity_is_judged(e))
        return;
    s->is_unsaved = true;
    q->slots[(q->first + q->count++) % q->room] = slot;
}

bool local_is_behind(const struct vdisk_export *e)
{
    const struct local_queue *q = &e->engine->unsaved;
    return e->local.image && q->count > q->room / 4;
}

/* What is evicted for a fill would be worth more than what comes. */
bool local_has_room(const struct vdisk_export *e)
{
    struct store_info info;
    if (!e->local.image)
        return false;
    store_get_info(e->engine->store, &info);
    return !info.failure && info.free_blocks > info.blocks / 16;
}

static struct vdisk_export *export_by_id(struct vdisk *v, uint32_t id)
{
    for (struct list *n = v->exports.next; n != &v->exports; n = n->next) {
        struct vdisk_export *e = LIST_ENTRY(n, struct vdisk_export, node);
        if (e->id == id)
            return e;
    }
    return NULL;
}

static void pop(struct local_queue *q, uint32_t count)
{
    q->first = (q->first + count) % q->room;
    q->count -= count;
}

/* The queue's first blocks, as far as they are neighbours, into the buffer. NULL: the first one has
   left the RAM cache, or is not to be kept any more. */
static struct vdisk_export *gather(struct vdisk *v, uint64_t *first, uint32_t *count)
{
    const struct local_queue *q = &v->unsaved;
    const struct cache *c = &v->cache;
    struct vdisk_export *e = NULL;
    for (*count = 0; *count < LOCAL_PUT_BLOCKS && *count < q->count; ++*count) {
        uint32_t slot = q->slots[(q->first + *count) % q->room];
        const struct cache_slot *s = &c->slots[slot];
        if (s->state != CACHE_VALID || !s->is_unsaved)
            break;
        if (*count == 0) {
            e = export_by_id(v, s->export_id);
            *first = s->block;
            if (!e || !e->local.image || e->link == LINK_FAILED)
                return NULL;
        } else if (s->export_id != e->id || s->block != *first + *count) {
            break;
        }
        uint8_t *to = v->unsaved.buffer + *count * CACHE_BLOCK_BYTES;
        uint32_t bytes = bytes_of(e, s->block, 1);
        memcpy(to, cache_data(c, slot), bytes);
        memset(to + bytes, 0, CACHE_BLOCK_BYTES - bytes);
    }
    return e;
}

/* The store has the first `count` of the queue, or they are given up. */
static void done_with(struct vdisk *v, uint32_t count)
{
    struct local_queue *q = &v->unsaved;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = q->slots[(q->first + i) % q->room];
        v->cache.slots[slot].is_unsaved = false;
        /* Background fill goes on to the disk, and keeps no room in memory that others want. */
        if (v->cache.free_count < v->cache.count / 8 && v->cache.slots[slot].source == CACHE_FILL)
            cache_release(&v->cache, slot);
    }
    pop(q, count);
}

/* For images, whatever of it they have now. */
static bool has_room(const struct store_info *info)
{
    return info->free_blocks + info->image_blocks > info->blocks / 16;
}

/* A device that is silent, as it is while its service is started again, says nothing of the store's room. */
static void count_stuck(struct vdisk *v, const struct store_info *info)
{
    struct local_queue *q = &v->unsaved;
    bool is_silent =
        info->device_commands != info->device_answers && info->device_answers == q->answers;
    uint64_t passed = q->looked_ns ? v->now_ns - q->looked_ns : 0;
    if (!is_silent) /* nor does a time in which nobody looked */
        q->stuck_ns += passed < RETRY_NS ? passed : RETRY_NS;
    q->looked_ns = v->now_ns;
    q->answers = info->device_answers;
}

/* The store has taken nothing. False: nobody needs to ask it again soon. */
static bool is_worth_waiting(struct vdisk *v)
{
    struct local_queue *q = &v->unsaved;
    struct store_info info;
    store_get_info(v->store, &info);
    count_stuck(v, &info);
    if (!info.failure && q->stuck_ns < STUCK_NS)
        return true;
    bool is_full = !info.failure && !has_room(&info); /* a failure has been told by the store */
    if (is_full && !q->said_full)
        vdisk_log(v, "the local store is full: what is streamed is not kept there");
    q->said_full |= is_full;
    q->stuck_ns = q->looked_ns = 0;
    done_with(v, q->count);
    return false;
}

static void has_taken(struct vdisk *v)
{
    struct local_queue *q = &v->unsaved;
    struct store_info info;
    q->stuck_ns = q->looked_ns = 0;
    if (!q->said_full)
        return;
    store_get_info(v->store, &info);
    if (!has_room(&info))
        return;
    q->said_full = false;
    vdisk_log(v, "the local store has room again: what is streamed is kept there");
}

/* -- when the engine ends -- */

void local_drain(struct vdisk *v)
{
    if (!v->store || !v->has_kept)
        return;
    v->has_kept = false;
    v->flushes = 2; /* what was still being written during the first is in the second */
}

bool local_is_pending(const struct vdisk *v)
{
    return v->flushes || v->is_flushing;
}

static void has_flushed(struct store_op *op, enum store_status status)
{
    struct vdisk *v = op->owner;
    v->is_flushing = false;
    v->has_read = true;
    if (status != STORE_OK)
        v->flushes = 0; /* a failure has been told by the store */
}

static void flush(struct vdisk *v)
{
    if (!v->flushes || v->is_flushing)
        return;
    v->flushes--;
    v->is_flushing = true;
    v->flush = (struct store_op){.type = STORE_FLUSH, .done = has_flushed, .owner = v};
    store_submit(v->store, &v->flush);
}

uint64_t local_run(struct vdisk *v)
{
    struct local_queue *q = &v->unsaved;
    while (v->store && q->count) {
        uint64_t first = 0;
        uint32_t count;
        struct vdisk_export *e = gather(v, &first, &count);
        if (!e) {
            if (v->cache.slots[q->slots[q->first]].is_unsaved)
                done_with(v, 1);
            else
                pop(q, 1);
            continue;
        }
        uint32_t taken = store_put(e->local.image, first, count, q->buffer);
        e->local.kept_bytes += (uint64_t)taken * CACHE_BLOCK_BYTES;
        if (!taken)
            return is_worth_waiting(v) ? v->now_ns + RETRY_NS : UINT64_MAX;
        has_taken(v);
        v->has_kept = true;
        done_with(v, taken);
    }
    flush(v);
    return UINT64_MAX;
}
