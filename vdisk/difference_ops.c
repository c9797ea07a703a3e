// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"

#define ZEROS_BYTES (64u << 10)
#define NEAR 16u /* the store is nearly full when so little of it is left: 1/16 */

static uint8_t zeros[ZEROS_BYTES]; /* never written */

static void op_done(struct store_op *op, enum store_status status);

/* -- what the operator is told -- */

static uint64_t room_blocks(const struct difference *l, uint64_t *all)
{
    struct store_info info;
    store_get_info(l->engine->store, &info);
    *all = info.blocks;
    return info.blocks - info.other_blocks; /* cached blocks give way */
}

static void say(const struct difference *l, const char *what)
{
    if (l->disk)
        vdisk_log(l->engine, "disk '%s': %s", l->name, what);
}

/* After a change, now and then: the operator should hear of it before the guest does. */
static void look_at_room(struct difference *l)
{
    uint64_t all, room;
    if (l->engine->now_ns < l->look_ns)
        return;
    l->look_ns = l->engine->now_ns + SECOND_NS;
    room = room_blocks(l, &all);
    if (room < all / NEAR && !l->said_near && l->disk)
        vdisk_log(l->engine,
                  "disk '%s': the local store is nearly full: %llu MiB are left for differences; "
                  "give back what is not needed (fstrim in the guests), or delete differences",
                  l->name, (unsigned long long)(room * STORE_BLOCK_BYTES >> 20));
    l->said_near = room < all / NEAR;
    if (room > all / NEAR)
        l->said_full = false;
}

/* The request's status. Each kind of trouble is told once. */
static int judge(struct difference *l, enum store_status status, bool is_read)
{
    bool *said = status == STORE_FULL      ? &l->said_full
                 : status == STORE_DAMAGED ? &l->said_damaged
                                           : &l->said_failed;
    if (l->is_temporary && is_read && said == &l->said_failed)
        return LEAT_EIO; /* pages may go on leaving for it */
    if (status == STORE_OK)
        return LEAT_OK;
    l->full_errors += status == STORE_FULL;
    l->damaged_errors += status == STORE_DAMAGED;
    if (!*said)
        say(l,
            status == STORE_FULL
                ? "the local store is full: writes to new blocks fail with \"no space\" until "
                  "there is room: fstrim in the guests, delete differences, or a larger partition"
            : status == STORE_DAMAGED
                ? "blocks of its difference are damaged on the local disk: I/O errors there, until "
                  "they are written anew"
                : "the local store has failed: I/O errors until it is opened again");
    *said = true;
    return status == STORE_FULL ? LEAT_ENOSPC : LEAT_EIO;
}

/* -- requests -- */

/* Zeroes that must keep their place are data like others. */
static void next_zeros(struct diff_op *o, uint64_t from)
{
    uint64_t left = o->end - from;
    o->op.offset = from;
    o->op.length = left < ZEROS_BYTES ? left : ZEROS_BYTES;
    o->op.is_fua = (o->request->flags & LEAT_BLK_FUA) && o->op.length == left;
}

static struct diff_op *make_op(struct difference *l, struct vdisk_request *r)
{
    static const uint8_t types[] = {[LEAT_BLK_READ] = STORE_READ,
                                    [LEAT_BLK_WRITE] = STORE_WRITE,
                                    [LEAT_BLK_FLUSH] = STORE_FLUSH,
                                    [LEAT_BLK_DISCARD] = STORE_DISCARD,
                                    [LEAT_BLK_WRITE_ZEROES] = STORE_ZERO};
    uint64_t blocks = r->op == LEAT_BLK_READ ? r->length / STORE_BLOCK_BYTES + 2 : 0;
    struct diff_op *o = malloc(sizeof *o + blocks);
    if (!o)
        return NULL;
    o->op = (struct store_op){.type = types[r->op],
                              .object = l->object,
                              .offset = r->offset,
                              .length = r->length,
                              .data = r->data,
                              .held = o->held,
                              .done = op_done,
                              .owner = o};
    o->diff = l;
    o->request = r;
    o->end = r->op == LEAT_BLK_FLUSH ? l->written : r->offset + r->length;
    if (r->op == LEAT_BLK_WRITE || r->op == LEAT_BLK_WRITE_ZEROES)
        o->op.is_fua = r->flags & LEAT_BLK_FUA;
    if (r->op == LEAT_BLK_WRITE_ZEROES && (r->flags & LEAT_BLK_NO_HOLE)) {
        o->op.type = STORE_WRITE;
        o->op.data = zeros;
        next_zeros(o, r->offset);
    }
    return o;
}

static bool start(struct difference *l, struct vdisk_request *r)
{
    if (r->op == LEAT_BLK_READ &&
        (!r->data || !store_holds_some(l->object, r->offset, r->length))) {
        disk_read_below(l->disk, r);
        return true;
    }
    struct diff_op *o = make_op(l, r);
    if (!o)
        return false;
    r->diff = o;
    list_push_back(&l->ops, &o->node);
    store_submit(l->engine->store, &o->op);
    return true;
}

void diff_submit(struct difference *l, struct vdisk_request *r)
{
    if (!list_is_empty(&l->wait) || !start(l, r))
        list_push_back(&l->wait, &r->node);
}

void diff_retry(struct difference *l)
{
    while (!list_is_empty(&l->wait)) {
        struct vdisk_request *r = LIST_ENTRY(l->wait.next, struct vdisk_request, node);
        list_remove(&r->node);
        if (start(l, r))
            continue;
        list_push_front(&l->wait, &r->node);
        return;
    }
}

/* What the difference holds is there; the rest comes from below. */
static void read_done(struct diff_op *o)
{
    struct vdisk_request *r = o->request;
    uint64_t sectors = 0;
    for (uint64_t i = 0; i <= (o->end - 1) / STORE_BLOCK_BYTES - r->offset / STORE_BLOCK_BYTES; i++)
        sectors += (unsigned)__builtin_popcount(o->held[i]);
    r->held = o->held;
    r->held_bytes = sectors * STORE_SECTOR_BYTES;
    r->disk->counters.overlay_bytes += r->held_bytes;
    if (r->held_bytes == r->length) {
        disk_complete(r, LEAT_OK);
        return;
    }
    o->diff->engine->has_read = true;
    disk_read_below(r->disk, r);
}

/* True: the request needs one more operation, which has been started. */
static bool go_on(struct diff_op *o)
{
    uint64_t at = o->op.offset + o->op.length;
    struct vdisk_request *r = o->request;
    if (o->op.data == zeros && at < o->end)
        next_zeros(o, at);
    else if (o->op.type == STORE_DISCARD && (r->flags & LEAT_BLK_FUA) && !o->diff->is_temporary)
        o->op.type = STORE_FLUSH;
    else
        return false;
    list_push_back(&o->diff->ops, &o->node);
    store_submit(o->diff->engine->store, &o->op);
    return true;
}

static void op_done(struct store_op *op, enum store_status status)
{
    struct diff_op *o = op->owner;
    struct difference *l = o->diff;
    struct vdisk_request *r = o->request;
    bool is_change = op->type != STORE_READ && op->type != STORE_FLUSH;
    list_remove(&o->node);
    if (is_change && !l->is_temporary) {
        l->written++;
        look_at_room(l);
    } else if (r && r->op == LEAT_BLK_FLUSH && status == STORE_OK && o->end > l->flushed) {
        l->flushed = o->end;
    }
    if (!r) {
        free(o);
        return;
    }
    if (status == STORE_OK && op->type == STORE_READ)
        read_done(o);
    else if (status != STORE_OK || !go_on(o))
        disk_complete(r, judge(l, status, r->op == LEAT_BLK_READ));
}

bool diff_is_at_store(const struct vdisk_request *r)
{
    return r->diff && !list_is_empty(&r->diff->node);
}

void diff_forget(struct vdisk_request *r)
{
    struct diff_op *o = r->diff;
    if (!o)
        return;
    r->diff = NULL;
    r->held = NULL;
    if (list_is_empty(&o->node)) {
        free(o);
        return;
    }
    o->request = NULL;
    if (o->op.type != STORE_FLUSH)
        store_cancel(&o->op);
}
