// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/channel.h"

#include <string.h>

static void disk_changed(void *owner)
{
    struct channel *c = owner;
    c->has_changed = true;
}

static void request_done(struct vdisk_request *request, int status)
{
    struct channel_request *r = (struct channel_request *)request;
    struct channel *c = request->owner;
    r->status = status;
    r->next = NULL;
    *c->done_end = r;
    c->done_end = &r->next;
}

int channel_begin(struct channel *c, struct vdisk *engine, const struct vdisk_config *config,
                  struct leat_blk_channel *shared, void (*signal)(void *ctx), void *signal_ctx)
{
    memset(c, 0, sizeof *c);
    c->shared = shared;
    c->signal = signal;
    c->signal_ctx = signal_ctx;
    c->done_end = &c->done;
    c->has_changed = true;
    leat_ring_join(&c->requests, shared->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), false);
    leat_ring_join(&c->completions, shared->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), true);
    for (uint32_t i = 0; i < LEAT_BLK_RING_COUNT; i++) {
        c->slots[i].request.owner = c;
        c->slots[i].request.done = request_done;
        c->slots[i].next = c->free;
        c->free = &c->slots[i];
    }
    c->disk = vdisk_attach(engine, config, disk_changed, c);
    return c->disk ? LEAT_OK : LEAT_ENOMEM;
}

void channel_end(struct channel *c)
{
    vdisk_detach(c->disk);
    c->disk = NULL;
}

/* entry: a private copy. */
static void submit(struct channel *c, struct channel_request *r,
                   const struct leat_blk_request *entry)
{
    bool has_data = entry->op == LEAT_BLK_READ || entry->op == LEAT_BLK_WRITE;
    r->id = entry->id;
    if (has_data && (entry->length > LEAT_BLK_MAX_REQUEST ||
                     entry->data > LEAT_BLK_DATA_BYTES - entry->length)) {
        request_done(&r->request, LEAT_EINVAL);
        return;
    }
    r->request.op = entry->op;
    r->request.flags = entry->flags;
    r->request.offset = entry->offset;
    r->request.length = entry->length;
    r->request.data = has_data ? c->shared->data + entry->data : NULL;
    vdisk_submit(c->disk, &r->request);
}

/* What it takes of a turn: bytes are copied; of what is discarded or zeroed only a page's entry changes. */
static uint64_t cost_of(const struct leat_blk_request *entry)
{
    bool has_data = entry->op == LEAT_BLK_READ || entry->op == LEAT_BLK_WRITE;
    uint64_t cost = has_data ? entry->length : entry->length / 64;
    return cost < CHANNEL_TURN_BYTES ? cost : CHANNEL_TURN_BYTES;
}

void channel_serve(struct channel *c)
{
    struct leat_blk_request entry;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < CHANNEL_TURN_REQUESTS && bytes < CHANNEL_TURN_BYTES; i++) {
        struct channel_request *r = c->free;
        if (!r || leat_ring_get(&c->requests, &entry) != LEAT_OK)
            return;
        c->free = r->next;
        c->is_touched = true;
        bytes += cost_of(&entry);
        submit(c, r, &entry);
    }
}

static void publish_info(struct channel *c)
{
    struct leat_blk_info info;
    vdisk_info(c->disk, &info);
    uint32_t state = info.state;
    info.state = c->shared->info.state;
    c->shared->info = info;
    /* The state last: who sees READY sees the size that belongs to it. */
    __atomic_store_n(&c->shared->info.state, state, __ATOMIC_RELEASE);
    c->has_changed = false;
}

void channel_flush(struct channel *c)
{
    bool must = c->has_changed;
    if (c->has_changed)
        publish_info(c);
    while (c->done) {
        struct channel_request *r = c->done;
        struct leat_blk_completion completion = {.id = r->id, .status = r->status};
        if (leat_ring_put(&c->completions, &completion) != LEAT_OK)
            break;
        c->is_touched = true;
        c->done = r->next;
        if (!c->done)
            c->done_end = &c->done;
        r->next = c->free;
        c->free = r;
    }
    if (c->is_touched) {
        must |= leat_ring_must_signal(&c->completions);
        must |= leat_ring_must_signal(&c->requests);
        c->is_touched = false;
    }
    if (must)
        c->signal(c->signal_ctx);
}

bool channel_may_sleep(struct channel *c)
{
    bool may = true;
    if (c->has_changed)
        return false;
    if (c->done && !c->completions.is_broken)
        may &= leat_ring_may_sleep(&c->completions);
    if (c->free && !c->requests.is_broken)
        may &= leat_ring_may_sleep(&c->requests);
    return may;
}
