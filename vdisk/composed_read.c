// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads of a disk in mode server: from the shared export, from the client's, or, if the shared export is verified, some pieces
 * from here and some from there, so that no block of the image comes by the other way, on which nobody could verify it.
 */
#include <stdlib.h>
#include <string.h>

#include "vdisk/composed.h"
#include "vdisk/engine.h"

#define SECTOR_BYTES 512u

/* What a read takes from the shared export: all of that at once; then the rest, by the client's, at once. */
struct lower {
    struct vdisk_request part; /* its owner is the read; it leaves out what is the client's */
    uint64_t first, end;       /* its range: blocks of the shared export's own size */
    bool is_under_way;         /* the part is */
    uint8_t held[]; /* of the read: what the part gets; then of the part: what it leaves out */
};

static struct lower *lower_of(struct vdisk_request *r)
{
    return r->below ? LIST_ENTRY(r->below, struct lower, part) : NULL;
}

static uint64_t blocks_of(const struct vdisk_request *r)
{
    return (r->offset + r->length - 1) / CACHE_BLOCK_BYTES - r->offset / CACHE_BLOCK_BYTES + 1;
}

static void read_rest(struct lower *l, int status)
{
    struct vdisk_request *r = l->part.owner;
    if (status != LEAT_OK || r->held_bytes == r->length) {
        disk_complete(r, status);
        return;
    }
    r->held = l->held;
    r->disk->export->engine->is_stirred = true; /* the client's export may have had its turn */
    disk_read_below(r->disk, r);
}

static void below_done(struct vdisk_request *part, int status)
{
    struct lower *l = LIST_ENTRY(part, struct lower, part);
    l->is_under_way = false;
    read_rest(l, status);
}

static void send_below(struct lower *l)
{
    struct vdisk_request *r = l->part.owner;
    struct vdisk_disk *below = r->disk->below;
    uint64_t before = l->first - r->offset, length = l->end - l->first;
    l->part = (struct vdisk_request){.op = LEAT_BLK_READ,
                                     .offset = l->first,
                                     .length = length,
                                     .data = r->data ? r->data + before : NULL,
                                     .done = below_done,
                                     .owner = r};
    l->is_under_way = true;
    below->export->engine->is_stirred = true; /* that export may have had its turn */
    disk_take(below, &l->part);
    l->part.held =
        l->held + blocks_of(r) + l->first / CACHE_BLOCK_BYTES - r->offset / CACHE_BLOCK_BYTES;
    l->part.held_bytes = length - r->held_bytes;
    disk_go(&l->part);
}

static void mark(struct lower *l, uint64_t from, uint64_t end)
{
    struct vdisk_request *r = l->part.owner;
    uint64_t first = r->offset / CACHE_BLOCK_BYTES;
    uint8_t *left_out = l->held + blocks_of(r);
    l->first = r->held_bytes ? l->first : from;
    l->end = end;
    r->held_bytes += end - from;
    for (uint64_t at = from; at < end; at += SECTOR_BYTES) {
        uint8_t bit = (uint8_t)(1u << at % CACHE_BLOCK_BYTES / SECTOR_BYTES);
        l->held[at / CACHE_BLOCK_BYTES - first] |= bit;
        left_out[at / CACHE_BLOCK_BYTES - first] &= (uint8_t)~bit;
    }
}

/* What the shared export can give: whole blocks of its own. */
static void find_pieces(struct lower *l)
{
    const struct vdisk_request *r = l->part.owner;
    uint64_t last = r->offset + r->length, unit = r->disk->below->export->block_size, end;
    for (uint64_t at = r->offset; at < last; at = end) {
        bool is_below = layers_run(r->disk->export, at, last, &end) == LAYERS_BELOW;
        uint64_t from = (at + unit - 1) / unit * unit, to = end / unit * unit;
        if (is_below && from < to)
            mark(l, from, to);
    }
}

static void read_pieces(struct vdisk_request *r)
{
    size_t blocks = blocks_of(r);
    struct lower *l = calloc(1, sizeof *l + 2 * blocks);
    if (!l) {
        r->disk->below->config.has_root ? disk_complete(r, LEAT_EIO) : disk_read_below(r->disk, r);
        return;
    }
    memset(l->held + blocks, 0xff, blocks);
    l->part.owner = r;
    r->below = &l->part;
    find_pieces(l);
    r->held_bytes ? send_below(l) : read_rest(l, LEAT_OK);
}

/* Of a read that is not all of the shared image, but verified where it is: is everything known? */
static enum layers_place where_in_pieces(const struct vdisk_export *e,
                                         const struct vdisk_request *r)
{
    enum layers_place found = LAYERS_ABOVE;
    uint64_t last = r->offset + r->length, end;
    for (uint64_t at = r->offset; at < last && found != LAYERS_ASKED; at = end) {
        enum layers_place place = layers_run(e, at, last, &end);
        found = place == LAYERS_ABOVE ? found : place;
    }
    return found;
}

void composed_read(struct vdisk_request *r)
{
    struct vdisk_disk *d = r->disk;
    enum layers_place place = layers_where(d->export, r->offset, r->length);
    if (d->export->layers.has_news)
        composed_compare(d);
    if (place == LAYERS_ABOVE && d->below->config.has_root)
        place = where_in_pieces(d->export, r);
    if (place == LAYERS_BELOW && d->export->content.wanted) /* after a reconnect: is it the same? */
        place = LAYERS_ASKED;
    if (disk_has_failed(d))
        disk_complete(r, LEAT_EIO);
    else if (place == LAYERS_ASKED)
        list_push_back(&d->export->layers.waiting, &r->node);
    else if (place == LAYERS_ABOVE)
        disk_read_below(d, r);
    else
        read_pieces(r);
}

void composed_fail(struct vdisk_disk *d)
{
    for (uint32_t count = d->counters.waiting; count && !list_is_empty(&d->requests); count--) {
        struct vdisk_request *r = LIST_ENTRY(d->requests.next, struct vdisk_request, disk_node);
        list_remove(&r->disk_node);
        list_push_back(&d->requests, &r->disk_node);
        if (r->below && lower_of(r)->is_under_way)
            disk_complete(r, LEAT_EIO);
    }
}

void composed_forget(struct vdisk_request *r)
{
    struct lower *l = lower_of(r);
    if (!l)
        return;
    if (l->is_under_way) {
        struct vdisk_disk *below = l->part.disk;
        read_forget(below->export, &l->part);
        list_remove(&l->part.disk_node);
        if (!--below->counters.waiting)
            below->counters.blocked_ns += below->export->engine->now_ns - below->blocked_since_ns;
    }
    r->below = NULL;
    r->held = NULL;
    free(l);
}
