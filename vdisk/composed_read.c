// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads of a disk in mode server: from the shared export, from the client's, or, if the shared export is verified, a piece from
 * here and a piece from there, so that no block of the image comes by the other way, on which nobody could verify it.
 */
#include <stdlib.h>

#include "vdisk/composed.h"
#include "vdisk/engine.h"

#define SECTOR_BYTES 512u

/* What a read takes from the shared export. */
struct lower {
    struct vdisk_request part; /* its owner is the read */
    uint64_t at;               /* what lies before it has been looked at */
    int status;
    bool is_under_way; /* the part is */
    bool is_in_loop;   /* go_on() runs: it sees by itself that the part has ended */
    uint8_t held[];    /* of the read: what it has got (struct vdisk_request) */
};

static struct lower *lower_of(struct vdisk_request *r)
{
    return r->below ? LIST_ENTRY(r->below, struct lower, part) : NULL;
}

static void go_on(struct lower *l);

static void below_done(struct vdisk_request *part, int status)
{
    struct lower *l = LIST_ENTRY(part, struct lower, part);
    const struct vdisk_request *r = part->owner;
    uint64_t first = r->offset / CACHE_BLOCK_BYTES;
    l->is_under_way = false;
    l->status = status;
    for (uint64_t at = part->offset; at < part->offset + part->length; at += SECTOR_BYTES)
        l->held[at / CACHE_BLOCK_BYTES - first] |=
            (uint8_t)(1u << at % CACHE_BLOCK_BYTES / SECTOR_BYTES);
    if (!l->is_in_loop)
        go_on(l);
}

static void send_below(struct lower *l, uint64_t first, uint64_t end)
{
    struct vdisk_request *r = l->part.owner;
    struct vdisk_disk *below = r->disk->below;
    l->part = (struct vdisk_request){.op = LEAT_BLK_READ,
                                     .offset = first,
                                     .length = end - first,
                                     .data = r->data ? r->data + (first - r->offset) : NULL,
                                     .done = below_done,
                                     .owner = r};
    l->is_under_way = true;
    r->held_bytes += end - first;
    below->export->engine->is_stirred = true; /* that export may have had its turn */
    disk_take(below, &l->part);
    disk_go(&l->part);
}

/* The next piece that the shared export can give: false: there is none. */
static bool find_piece(struct lower *l, uint64_t *first, uint64_t *end)
{
    const struct vdisk_request *r = l->part.owner;
    uint64_t last = r->offset + r->length, unit = r->disk->below->export->block_size;
    while (l->at < last) {
        uint64_t from = l->at;
        bool is_below = layers_run(r->disk->export, from, last, &l->at) == LAYERS_BELOW;
        *first = (from + unit - 1) / unit * unit;
        *end = l->at / unit * unit;
        if (is_below && *first < *end)
            return true;
    }
    return false;
}

/* All pieces, one after the other, and then, from the client's export, what is left. */
static void go_on(struct lower *l)
{
    struct vdisk_request *r = l->part.owner;
    uint64_t first, end;
    l->is_in_loop = true;
    while (l->status == LEAT_OK && find_piece(l, &first, &end)) {
        send_below(l, first, end);
        if (l->is_under_way) {
            l->is_in_loop = false;
            return;
        }
    }
    if (l->status != LEAT_OK || r->held_bytes == r->length) {
        disk_complete(r, l->status);
        return;
    }
    r->held = l->held;
    r->disk->export->engine->is_stirred = true; /* the client's export may have had its turn */
    disk_read_below(r->disk, r);
}

static void read_pieces(struct vdisk_request *r)
{
    uint64_t first = r->offset / CACHE_BLOCK_BYTES;
    uint64_t last = (r->offset + r->length - 1) / CACHE_BLOCK_BYTES;
    struct lower *l = calloc(1, sizeof *l + (last - first + 1));
    if (!l) {
        r->disk->below->config.has_root ? disk_complete(r, LEAT_EIO) : disk_read_below(r->disk, r);
        return;
    }
    l->part.owner = r;
    l->at = r->offset;
    r->below = &l->part;
    go_on(l);
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
