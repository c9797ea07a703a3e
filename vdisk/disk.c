// SPDX-License-Identifier: BSD-2-Clause
/* One disk as its client sees it: requests are judged, then go the way that the disk's mode says.
 */
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

/* What it writes goes to its export. */
static bool is_at_server(const struct vdisk_disk *d)
{
    return d->config.mode == VDISK_PRIVATE || d->config.mode == VDISK_SERVER;
}

bool disk_is_writer(const struct vdisk_disk *d)
{
    return !d->refusal && is_at_server(d) && !d->config.is_read_only;
}

bool disk_has_failed(const struct vdisk_disk *d)
{
    return d->refusal || d->export->link == LINK_FAILED || (d->below && disk_has_failed(d->below));
}

uint32_t disk_features(const struct vdisk_disk *d)
{
    const struct vdisk_export *e = d->export;
    uint32_t flags = e->identity.flags;
    if (!is_at_server(d) && !d->config.is_read_only)
        return LEAT_BLK_CAN_FLUSH | LEAT_BLK_CAN_DISCARD | LEAT_BLK_CAN_ZERO | LEAT_BLK_CAN_FUA;
    if (d->config.is_read_only || (flags & NBD_FLAG_READ_ONLY))
        return LEAT_BLK_READ_ONLY;
    if (e->identity.min_block >
        CACHE_BLOCK_BYTES) /* they could not be sent as the guest wants them */
        flags &= ~(NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES);
    uint32_t features = LEAT_BLK_CAN_FUA; /* by the server's, or by a flush after the write */
    if (flags & NBD_FLAG_SEND_FLUSH)
        features |= LEAT_BLK_CAN_FLUSH;
    if (flags & NBD_FLAG_SEND_TRIM)
        features |= LEAT_BLK_CAN_DISCARD;
    if (flags & NBD_FLAG_SEND_WRITE_ZEROES)
        features |= LEAT_BLK_CAN_ZERO;
    return features;
}

/* r is the engine's own copy of what may be a hostile request. */
static int judge(const struct vdisk_disk *d, const struct vdisk_request *r)
{
    const struct vdisk_export *e = d->export;
    uint32_t features = disk_features(d);
    if (r->op == LEAT_BLK_FLUSH)
        return r->flags ? LEAT_EINVAL : LEAT_OK;
    if (r->op > LEAT_BLK_WRITE_ZEROES || (r->flags & ~(LEAT_BLK_FUA | LEAT_BLK_NO_HOLE)))
        return LEAT_EINVAL;
    uint64_t size = e->identity.size_bytes;
    if (!r->length || r->offset > size || r->length > size - r->offset ||
        ((r->offset | r->length) & (e->block_size - 1)))
        return LEAT_EINVAL;
    if (r->op <= LEAT_BLK_WRITE && r->length > VDISK_MAX_REQUEST)
        return LEAT_EINVAL;
    if (r->op == LEAT_BLK_READ)
        return LEAT_OK;
    if (features & LEAT_BLK_READ_ONLY)
        return LEAT_EROFS;
    if (r->op == LEAT_BLK_DISCARD && !(features & LEAT_BLK_CAN_DISCARD))
        return LEAT_EINVAL;
    if (r->op == LEAT_BLK_WRITE_ZEROES && !(features & LEAT_BLK_CAN_ZERO))
        return LEAT_EINVAL;
    return LEAT_OK;
}

void disk_complete(struct vdisk_request *r, int status)
{
    struct vdisk_disk *d = r->disk;
    if (status == LEAT_OK && r->op == LEAT_BLK_READ && r->data &&
        d->has_overlay) /* over what came from below */
        d->counters.overlay_bytes += overlay_read(&d->overlay, r->offset, r->length, r->data);
    if (status != LEAT_OK)
        d->counters.errors++;
    uint64_t now_ns = d->export->engine->now_ns, took_ns = now_ns - r->submitted_ns;
    d->counters.stall_ns += took_ns;
    meter_count(d->counters.latency, took_ns);
    diff_forget(r);
    composed_forget(r);
    if (!--d->counters.waiting)
        d->counters.blocked_ns += now_ns - d->blocked_since_ns;
    list_remove(&r->disk_node);
    r->done(r, status);
}

static void say_full(struct vdisk_disk *d)
{
    const struct overlay *o = &d->overlay;
    bool is_bound = o->bound_bytes - o->used_bytes < 2 * OVERLAY_PAGE_BYTES;
    if (is_bound && d->diff && d->diff->object)
        vdisk_log(d->export->engine,
                  "disk '%s': its overlay of %llu MiB is full, and so is the local store: writes "
                  "fail; give it a larger overlay, or the store more room",
                  d->config.name, (unsigned long long)(o->bound_bytes >> 20));
    else if (is_bound)
        vdisk_log(d->export->engine,
                  "disk '%s': its overlay of %llu MiB is full: writes fail; give it a larger "
                  "overlay, or mode = private",
                  d->config.name, (unsigned long long)(o->bound_bytes >> 20));
    else
        vdisk_log(d->export->engine,
                  "disk '%s': no memory left for its overlay (%llu of %llu MiB): writes fail; give "
                  "the VMs or the cache less memory, or the disk mode = private",
                  d->config.name, (unsigned long long)(o->used_bytes >> 20),
                  (unsigned long long)(o->bound_bytes >> 20));
}

void disk_write_overlay(struct vdisk_disk *d, struct vdisk_request *r)
{
    uint64_t at = r->offset + r->taken, left = r->length - r->taken;
    r->taken += r->op == LEAT_BLK_WRITE ? overlay_write(&d->overlay, at, left, r->data + r->taken)
                                        : overlay_zero(&d->overlay, at, left);
    if (r->taken < r->length && spill_wait(d, r))
        return;
    bool fits = r->taken == r->length;
    if (!fits && !d->said_full)
        say_full(d);
    d->said_full |= !fits;
    disk_complete(r, fits ? LEAT_OK : LEAT_EIO);
}

/* Mode ram. */
static void start_overlay(struct vdisk_disk *d, struct vdisk_request *r)
{
    struct overlay *o = &d->overlay;
    bool has_store = d->diff && d->diff->object;
    if (r->op == LEAT_BLK_WRITE || r->op == LEAT_BLK_WRITE_ZEROES) {
        disk_write_overlay(d, r);
    } else if (r->op == LEAT_BLK_READ && !overlay_covers(o, r->offset, r->length)) {
        if (has_store)
            diff_submit(d->diff, r);
        else
            disk_read_below(d, r);
    } else {
        bool is_discard = r->op == LEAT_BLK_DISCARD;
        if (is_discard)
            overlay_discard(o, r->offset, r->length, has_store);
        if (is_discard && has_store)
            diff_submit(d->diff, r);
        else
            disk_complete(r, LEAT_OK);
    }
}

void disk_read_below(struct vdisk_disk *d, struct vdisk_request *r)
{
    uint64_t offset = r->offset, length = r->length; /* r may be gone after the read */
    if (d->export->link == LINK_FAILED) {
        disk_complete(r, LEAT_EIO);
        return;
    }
    bool is_miss = read_begin(d->export, r);
    ahead_after_read(d, offset, length, is_miss);
}

static void start(struct vdisk_disk *d, struct vdisk_request *r)
{
    struct vdisk_export *e = d->export;
    int status = judge(d, r);
    if (status != LEAT_OK) {
        disk_complete(r, status);
        return;
    }
    if (r->op != LEAT_BLK_READ && r->op != LEAT_BLK_FLUSH)
        d->counters.written_bytes += r->length;
    if (d->has_overlay)
        start_overlay(d, r);
    else if (d->config.mode == VDISK_LOCAL)
        diff_submit(d->diff, r);
    else if (r->op == LEAT_BLK_READ)
        d->below ? composed_read(r) : disk_read_below(d, r);
    else if (r->op == LEAT_BLK_FLUSH)
        wlog_flush(e, r);
    else
        wlog_submit(e, r);
}

/* The overlay needs the size of the disk. */
static void make_overlay(struct vdisk_disk *d)
{
    struct vdisk_export *e = d->export;
    if (d->has_overlay || d->config.mode != VDISK_RAM || d->config.is_read_only || !e->was_up)
        return;
    uint64_t bound = d->config.overlay_bytes;
    if (!bound)
        bound = e->engine->limits.overlay_bytes;
    d->has_overlay = overlay_init(&d->overlay, e->identity.size_bytes, bound);
    if (!d->has_overlay)
        d->refusal = "no memory for the overlay's table";
}

bool disk_is_opening(const struct vdisk_disk *d)
{
    return (d->below && !d->is_joined) ||
           (d->config.mode == VDISK_LOCAL && d->diff && !d->diff->object);
}

void disk_wake(struct vdisk_disk *d)
{
    make_overlay(d);
    if (d->below)
        composed_join(d);
    if (disk_has_failed(d)) {
        tenant_let_all_go(d);
        composed_fail(d);
    }
    if (disk_is_opening(d) && !disk_has_failed(d))
        return;
    struct list *node;
    while ((node = list_pop(&d->early))) {
        struct vdisk_request *r = LIST_ENTRY(node, struct vdisk_request, node);
        if (disk_has_failed(d))
            disk_complete(r, LEAT_EIO);
        else
            start(d, r);
    }
    if (d->above)
        disk_wake(d->above);
}

/* What the local store or the overlay takes, or gives: it needs nobody else. */
static bool is_ours(const struct vdisk_disk *d, const struct vdisk_request *r)
{
    bool takes_writes = d->has_overlay || (d->config.mode == VDISK_LOCAL && !disk_is_opening(d));
    return diff_is_at_store(r) || (takes_writes && r->op != LEAT_BLK_READ);
}

/* It ends by itself, however long the server is away. */
static bool needs_no_server(const struct vdisk_disk *d, const struct vdisk_request *r)
{
    const struct vdisk_export *e = d->export;
    return is_ours(d, r) || (!disk_is_opening(d) && e->was_up && read_waits_locally(e, r));
}

void disk_give_up(struct vdisk_disk *d, const char *what)
{
    struct vdisk_export *e = d->export;
    uint32_t count = d->counters.waiting; /* completions may submit more */
    if (count && !d->has_given_up) {
        vdisk_log(e->engine, "disk '%s': %s away for %llu s: requests fail with I/O errors",
                  d->config.name, what, (unsigned long long)(d->config.give_up_ns / SECOND_NS));
        d->has_given_up = true;
    }
    while (count-- && !list_is_empty(&d->requests)) {
        struct vdisk_request *r = LIST_ENTRY(d->requests.next, struct vdisk_request, disk_node);
        if (needs_no_server(d, r)) {
            list_remove(&r->disk_node);
            list_push_back(&d->requests, &r->disk_node);
            continue;
        }
        wlog_forget(e, r);
        read_forget(e, r);
        disk_complete(r, LEAT_EIO);
    }
}

void disk_go(struct vdisk_request *r)
{
    struct vdisk_disk *d = r->disk;
    if (disk_has_failed(d))
        disk_complete(r, LEAT_EIO);
    else if (!d->export->has_begun || disk_is_opening(d))
        list_push_back(&d->early, &r->node);
    else
        start(d, r);
}

uint64_t disk_fail_old(struct vdisk_disk *d)
{
    struct vdisk_export *e = d->export;
    uint64_t when = UINT64_MAX;
    for (uint32_t count = d->counters.waiting; count && !list_is_empty(&d->requests); count--) {
        struct vdisk_request *r = LIST_ENTRY(d->requests.next, struct vdisk_request, disk_node);
        uint64_t end = r->submitted_ns + d->config.give_up_ns;
        bool is_waiting = !is_ours(d, r); /* for a block that passes, wherever it comes from */
        if (is_waiting && end <= e->engine->now_ns) {
            wlog_forget(e, r);
            read_forget(e, r);
            disk_complete(r, LEAT_EIO);
            continue;
        }
        list_remove(&r->disk_node); /* completions may submit more, behind it */
        list_push_back(&d->requests, &r->disk_node);
        when = is_waiting && end < when ? end : when;
    }
    return when;
}

void disk_take(struct vdisk_disk *d, struct vdisk_request *r)
{
    r->disk = d;
    r->submitted_ns = d->export->engine->now_ns;
    r->pieces = 0;
    r->next_block = r->offset / CACHE_BLOCK_BYTES;
    r->diff = NULL;
    r->below = NULL;
    r->held = NULL;
    r->held_bytes = 0;
    r->taken = 0;
    list_init(&r->node);
    list_push_back(&d->requests, &r->disk_node);
    d->counters.requests++;
    if (!d->counters.waiting++)
        d->blocked_since_ns = r->submitted_ns;
}

void vdisk_submit(struct vdisk_disk *d, struct vdisk_request *r)
{
    disk_take(d, r);
    if (disk_has_failed(d) || !tenant_holds(d, r))
        disk_go(r);
}
