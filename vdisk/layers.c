// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/layers.h"

#include <stdlib.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define SPAN_BLOCKS ((uint64_t)BLOCKMAP_REGION_BLOCKS * LAYERS_SPAN_REGIONS)
#define SPAN_BYTES (SPAN_BLOCKS * CACHE_BLOCK_BYTES)
#define MOST_BITMAPS 512u /* of each map: 2 MiB */
#define MOST_ROUNDS 64u   /* a server that tells it in smaller pieces is not asked on */
#define EAGER_SPANS 64u   /* of a larger image, the rest is asked about only when it is read */

enum span_state { SPAN_NEW, SPAN_ASKED, SPAN_DONE };

/* The run is at its end: the blocks that lie in it whole are below, unless we have written them. */
static void end_run(struct layers_query *q)
{
    struct layers *l = &q->export->layers;
    uint64_t size = q->export->identity.size_bytes, end = q->from + q->bytes;
    uint64_t first = (q->from + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
    uint64_t last = end == size ? l->below.block_count : end / CACHE_BLOCK_BYTES;
    if (q->bytes && first < last) {
        blockmap_set(&l->below, first, last, true);
        blockmap_keep(&l->below, &l->free, first, last);
    }
    q->bytes = 0;
}

static void take(struct layers_query *q, uint64_t offset, uint32_t length, bool is_below)
{
    if (!is_below) {
        end_run(q);
        return;
    }
    if (!q->bytes)
        q->from = offset;
    q->bytes += length;
}

static void got_depth(struct nbd_command *command, uint64_t offset, uint32_t length, uint32_t depth)
{
    take(command->owner, offset, length, depth != NBD_DEPTH_OWN);
}

static void got_extent(struct nbd_command *command, uint64_t offset, uint32_t length,
                       uint32_t flags)
{
    take(command->owner, offset, length,
         (flags & (NBD_STATE_HOLE | NBD_STATE_ZERO)) == NBD_STATE_HOLE);
}

static void taken_back(struct nbd_command *command)
{
    struct layers_query *q = command->owner;
    q->is_sent = false;
    q->bytes = 0; /* what it had begun to say is said again */
}

static void end_query(struct layers_query *q)
{
    struct layers *l = &q->export->layers;
    end_run(q);
    q->is_used = false;
    l->spans[q->span] = SPAN_DONE;
    l->has_news = true;
}

static void answered(struct nbd_command *command, uint32_t error)
{
    struct layers_query *q = command->owner;
    struct vdisk_export *e = q->export;
    uint32_t described = e->layers.by_holes ? command->described : command->depth_described;
    uint32_t told = described - described % e->identity.min_block;
    if (!error && told && told < command->length && ++q->rounds < MOST_ROUNDS) {
        if (told < described)
            end_run(q);          /* the next answer begins before this one's end */
        command->offset += told; /* the rest of the span */
        command->length -= told;
        q->is_sent = false;
        return;
    }
    end_query(q);
    if (error)
        vdisk_log(e->engine, "vdisk: %s:%u export '%s': block status: server error %u", e->host,
                  e->port, e->shown, (unsigned)error);
}

void layers_init(struct vdisk_export *e)
{
    struct layers *l = &e->layers;
    uint64_t blocks = (e->identity.size_bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
    if (!l->is_wanted)
        return;
    uint32_t spans = (uint32_t)((blocks + SPAN_BLOCKS - 1) / SPAN_BLOCKS);
    if (!blockmap_init(&l->below, blocks, MOST_BITMAPS, false) ||
        !blockmap_init(&l->free, blocks, MOST_BITMAPS, true) || !(l->spans = calloc(spans, 1))) {
        layers_free(e);
        return;
    }
    l->span_count = spans;
    for (uint32_t i = 0; i < LAYERS_QUERIES; i++) {
        struct layers_query *q = &l->queries[i];
        q->export = e;
        q->command.type = NBD_CMD_BLOCK_STATUS;
        q->command.depth = l->by_holes ? NULL : got_depth;
        q->command.extent = l->by_holes ? got_extent : NULL;
        q->command.done = answered;
        q->command.lost = taken_back;
        q->command.owner = q;
    }
}

void layers_free(struct vdisk_export *e)
{
    struct layers *l = &e->layers;
    blockmap_free(&l->below);
    blockmap_free(&l->free);
    free(l->spans);
    l->spans = NULL;
    l->span_count = 0;
}

static void ask(struct vdisk_export *e, uint32_t span)
{
    struct layers *l = &e->layers;
    if (l->spans[span] != SPAN_NEW)
        return;
    for (uint32_t i = 0; i < LAYERS_QUERIES; i++) {
        struct layers_query *q = &l->queries[i];
        if (q->is_used)
            continue;
        uint64_t start = span * SPAN_BYTES, left = e->identity.size_bytes - start;
        q->is_used = true;
        q->is_sent = false;
        q->span = span;
        q->rounds = 0;
        q->bytes = 0;
        q->command.offset = start;
        q->command.length = (uint32_t)(left < SPAN_BYTES ? left : SPAN_BYTES);
        l->spans[span] = SPAN_ASKED;
        return;
    }
}

enum layers_place layers_where(struct vdisk_export *e, uint64_t offset, uint64_t length)
{
    struct layers *l = &e->layers;
    uint64_t first = offset / CACHE_BLOCK_BYTES;
    uint64_t last = (offset + length - 1) / CACHE_BLOCK_BYTES;
    bool is_asked = false;
    if (!l->span_count)
        return LAYERS_ABOVE;
    for (uint64_t span = first / SPAN_BLOCKS; span <= last / SPAN_BLOCKS; span++) {
        ask(e, (uint32_t)span);
        is_asked |= l->spans[span] != SPAN_DONE;
    }
    for (uint64_t b = first; b <= last; b++) {
        bool is_told = l->spans[b / SPAN_BLOCKS] == SPAN_DONE;
        if (!blockmap_has(is_told ? &l->below : &l->free, b))
            return LAYERS_ABOVE; /* whatever the server will say of the rest */
    }
    return is_asked ? LAYERS_ASKED : LAYERS_BELOW;
}

static enum layers_place place_of(const struct layers *l, uint64_t block)
{
    bool is_told = l->span_count && l->spans[block / SPAN_BLOCKS] == SPAN_DONE;
    if (!l->span_count || !blockmap_has(is_told ? &l->below : &l->free, block))
        return LAYERS_ABOVE;
    return is_told ? LAYERS_BELOW : LAYERS_ASKED;
}

enum layers_place layers_run(const struct vdisk_export *e, uint64_t offset, uint64_t last,
                             uint64_t *end)
{
    uint64_t block = offset / CACHE_BLOCK_BYTES;
    enum layers_place place = place_of(&e->layers, block);
    do
        *end = ++block * CACHE_BLOCK_BYTES;
    while (*end < last && place_of(&e->layers, block) == place);
    *end = *end < last ? *end : last;
    return place;
}

void layers_written(struct vdisk_export *e, uint64_t offset, uint64_t length)
{
    struct layers *l = &e->layers;
    if (!l->span_count || !length)
        return;
    uint64_t first = offset / CACHE_BLOCK_BYTES;
    uint64_t end = (offset + length + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
    blockmap_set(&l->below, first, end, false);
    blockmap_set(&l->free, first, end, false);
}

uint64_t layers_run_end(const struct vdisk_export *e, uint64_t first, uint64_t end)
{
    uint64_t block = e->layers.span_count ? first : end;
    while (block < end && !blockmap_has(&e->layers.below, block))
        block++;
    return block;
}

/* Spans that nobody has touched yet, behind those that somebody has. */
static void ask_on(struct vdisk_export *e)
{
    struct layers *l = &e->layers;
    uint32_t most = l->span_count < EAGER_SPANS ? l->span_count : EAGER_SPANS;
    while (l->next_span < most) {
        ask(e, l->next_span);
        if (l->spans[l->next_span] == SPAN_NEW)
            return; /* all questions are on their way */
        l->next_span++;
    }
}

/* A server that does not tell leaves it at what is known: nothing. */
static bool can_tell(const struct vdisk_export *e, const struct nbd_session *s)
{
    const struct nbd_export *x = &s->handshake.result;
    return e->layers.by_holes ? x->has_block_status : x->has_depth;
}

static bool send_questions(struct vdisk_export *e)
{
    bool any = false;
    for (uint32_t i = 0; i < LAYERS_QUERIES; i++) {
        struct layers_query *q = &e->layers.queries[i];
        struct nbd_session *s = q->is_used && !q->is_sent ? link_room(e, 0) : NULL;
        if (!s)
            continue;
        any = true;
        if (!can_tell(e, s)) {
            end_query(q);
            continue;
        }
        if (nbd_command_align(&q->command, e->identity.min_block))
            end_run(q);
        q->is_sent = true;
        nbd_session_send(s, &q->command, e->engine->now_ns);
    }
    return any;
}

/* Disks that can perhaps be joined to what lies below them, or must be compared with it once more. */
static void look_below(struct vdisk_export *e)
{
    for (struct list *n = e->disks.next; e->layers.is_wanted && n != &e->disks; n = n->next) {
        struct vdisk_disk *d = LIST_ENTRY(n, struct vdisk_disk, node);
        if (d->below && disk_is_opening(d) && !d->refusal)
            disk_wake(d);
        else if (d->below && e->layers.has_news) {
            composed_compare(d);
            if (d->refusal)
                disk_wake(d);
        }
    }
}

/* Reads that have waited for what has become known. */
static void let_go(struct layers *l)
{
    struct list again = {NULL, NULL}, *node;
    list_init(&again);
    while ((node = list_pop(&l->waiting)))
        list_push_back(&again, node);
    while ((node = list_pop(&again)))
        composed_read(LIST_ENTRY(node, struct vdisk_request, node));
}

bool layers_pump(struct vdisk_export *e)
{
    struct layers *l = &e->layers;
    look_below(e);
    bool had_news = l->has_news;
    l->has_news = false;
    if (!l->span_count)
        return false;
    if (had_news)
        let_go(l);
    ask_on(e); /* behind those: what is waited for is asked first */
    return send_questions(e) || had_news;
}

void layers_fail_all(struct vdisk_export *e)
{
    struct list *node;
    while ((node = list_pop(&e->layers.waiting)))
        disk_complete(LIST_ENTRY(node, struct vdisk_request, node), LEAT_EIO);
}
