// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/extents.h"

#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define REGION_BYTES ((uint64_t)BLOCKMAP_REGION_BLOCKS * CACHE_BLOCK_BYTES)
#define SPAN_BYTES (REGION_BYTES * EXTENTS_SPAN_REGIONS)
#define MAX_BITMAPS 1024u /* 4 MiB; regions that are all zeros need none of their own */
#define MAX_ROUNDS 64u    /* a server that tells it in smaller pieces is not asked on */
#define EAGER_SPANS 64u   /* of a larger image, the rest is asked about only when it is read */

enum span_state { SPAN_NEW, SPAN_ASKED, SPAN_DONE };

static void got_extent(struct nbd_command *command, uint64_t offset, uint32_t length,
                       uint32_t flags);
static void answered(struct nbd_command *command, uint32_t error);

static void taken_back(struct nbd_command *command)
{
    struct extents_query *q = command->owner;
    q->is_sent = false;
    q->zeros = 0; /* what it had begun to say is said again */
}

void extents_init(struct vdisk_export *e)
{
    struct extents *x = &e->extents;
    uint64_t blocks = (e->identity.size_bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
    if (!e->identity.has_block_status || !blockmap_init(&x->zeros, blocks, MAX_BITMAPS, false))
        return;
    uint32_t spans = (x->zeros.region_count + EXTENTS_SPAN_REGIONS - 1) / EXTENTS_SPAN_REGIONS;
    x->spans = calloc(spans, 1);
    if (!x->spans) {
        extents_free(e);
        return;
    }
    x->span_count = spans;
    for (uint32_t i = 0; i < EXTENTS_QUERIES; i++) {
        struct extents_query *q = &x->queries[i];
        q->export = e;
        q->command.type = NBD_CMD_BLOCK_STATUS;
        q->command.extent = got_extent;
        q->command.done = answered;
        q->command.lost = taken_back;
        q->command.owner = q;
    }
}

void extents_free(struct vdisk_export *e)
{
    struct extents *x = &e->extents;
    blockmap_free(&x->zeros);
    free(x->spans);
    memset(x, 0, sizeof *x);
}

void extents_mark_zero(struct extents *x, uint64_t first, uint64_t end)
{
    if (first < end)
        blockmap_set(&x->zeros, first, end, true);
}

/* The run of zeros is at its end: the blocks that lie in it whole. */
static void end_run(struct extents_query *q)
{
    struct extents *x = &q->export->extents;
    uint64_t size = q->export->identity.size_bytes, end = q->zero_from + q->zeros;
    uint64_t first = (q->zero_from + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
    uint64_t last = end == size ? x->zeros.block_count : end / CACHE_BLOCK_BYTES;
    if (q->zeros && !q->is_stale && first < last)
        blockmap_set(&x->zeros, first, last, true);
    x->has_news |= q->zeros != 0;
    q->zeros = 0;
}

static void got_extent(struct nbd_command *command, uint64_t offset, uint32_t length,
                       uint32_t flags)
{
    struct extents_query *q = command->owner;
    if (!(flags & NBD_STATE_ZERO)) { /* a hole that is not said to read as zeros is data */
        end_run(q);
        return;
    }
    if (!q->zeros)
        q->zero_from = offset;
    q->zeros += length;
}

static void answered(struct nbd_command *command, uint32_t error)
{
    struct extents_query *q = command->owner;
    struct vdisk_export *e = q->export;
    struct extents *x = &e->extents;
    uint32_t told = command->described - command->described % e->identity.min_block;
    if (!error && !q->is_stale && told && told < command->length && ++q->rounds < MAX_ROUNDS) {
        if (told < command->described)
            end_run(q);          /* the next answer begins before this one's end */
        command->offset += told; /* the rest of the span */
        command->length -= told;
        q->is_sent = false;
        return;
    }
    end_run(q);
    q->is_used = false;
    x->spans[q->span] = SPAN_DONE;
    if (error)
        vdisk_log(e->engine, "vdisk: %s:%u export '%s': block status: server error %u", e->host,
                  e->port, e->shown, (unsigned)error);
}

void extents_touch(struct vdisk_export *e, uint64_t block)
{
    struct extents *x = &e->extents;
    uint64_t span = block / BLOCKMAP_REGION_BLOCKS / EXTENTS_SPAN_REGIONS;
    if (span >= x->span_count || x->spans[span] != SPAN_NEW)
        return;
    for (uint32_t i = 0; i < EXTENTS_QUERIES; i++) {
        struct extents_query *q = &x->queries[i];
        if (q->is_used)
            continue;
        uint64_t start = span * SPAN_BYTES, left = e->identity.size_bytes - start;
        q->is_used = true;
        q->is_sent = q->is_stale = false;
        q->span = (uint32_t)span;
        q->rounds = 0;
        q->zeros = 0;
        q->command.offset = start;
        q->command.length = (uint32_t)(left < SPAN_BYTES ? left : SPAN_BYTES);
        x->spans[span] = SPAN_ASKED;
        return;
    }
}

void extents_written(struct vdisk_export *e, uint64_t offset, uint64_t length)
{
    struct extents *x = &e->extents;
    if (!x->span_count || !length)
        return;
    uint64_t end = offset + length;
    blockmap_set(&x->zeros, offset / CACHE_BLOCK_BYTES,
                 (end + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES, false);
    for (uint64_t span = offset / SPAN_BYTES; span <= (end - 1) / SPAN_BYTES; span++) {
        if (x->spans[span] != SPAN_ASKED)
            x->spans[span] = SPAN_DONE;
        for (uint32_t i = 0; i < EXTENTS_QUERIES; i++)
            if (x->queries[i].is_used && x->queries[i].span == span)
                x->queries[i].is_stale = true;
    }
}

/* Spans that nobody has touched yet, one at a time, behind those that somebody has. */
static void ask_on(struct vdisk_export *e)
{
    struct extents *x = &e->extents;
    uint32_t most = x->span_count < EAGER_SPANS ? x->span_count : EAGER_SPANS;
    while (x->next_span < most && x->spans[x->next_span] != SPAN_NEW)
        x->next_span++;
    if (x->next_span < most)
        extents_touch(e, (uint64_t)x->next_span * BLOCKMAP_REGION_BLOCKS * EXTENTS_SPAN_REGIONS);
}

bool extents_are_settled(const struct vdisk_export *e)
{
    const struct extents *x = &e->extents;
    for (uint32_t i = 0; i < EXTENTS_QUERIES; i++)
        if (x->queries[i].is_used)
            return false;
    return x->next_span == x->span_count || x->next_span >= EAGER_SPANS;
}

bool extents_pump(struct vdisk_export *e)
{
    struct extents *x = &e->extents;
    bool any = false;
    if (!x->span_count)
        return false;
    ask_on(e);
    for (uint32_t i = 0; i < EXTENTS_QUERIES; i++) {
        struct extents_query *q = &x->queries[i];
        struct nbd_session *s = q->is_used && !q->is_sent ? link_room(e, 0) : NULL;
        if (!s || !s->handshake.result.has_block_status) /* this server may have none */
            continue;
        if (nbd_command_align(&q->command, e->identity.min_block))
            end_run(q);
        q->is_sent = true;
        nbd_session_send(s, &q->command, e->engine->now_ns);
        any = true;
    }
    return any;
}
