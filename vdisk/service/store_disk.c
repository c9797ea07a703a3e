// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/store_disk.h"

#include <string.h>

void store_disk_begin(struct store_disk *d, struct leat_blk_channel *shared,
                      void (*signal)(void *ctx), void *ctx)
{
    memset(d, 0, sizeof *d);
    d->signal = signal;
    d->ctx = ctx;
    list_init(&d->waiting);
    list_init(&d->failed);
    for (uint32_t i = 0; i < STORE_DISK_IOS; i++)
        d->free[d->free_count++] = i;
    store_disk_resume(d, shared);
}

/* What the other side says of its disk now. */
static enum store_disk_state take_info(struct store_disk *d)
{
    const struct leat_blk_info *info = &d->shared->info;
    uint32_t state = __atomic_load_n(&info->state, __ATOMIC_ACQUIRE);
    uint32_t features = __atomic_load_n(&info->features, __ATOMIC_RELAXED);
    uint64_t bytes = __atomic_load_n(&info->size_bytes, __ATOMIC_RELAXED);
    uint32_t sector_bytes = __atomic_load_n(&info->block_size, __ATOMIC_RELAXED);
    if (state == LEAT_BLK_CONNECTING)
        return STORE_DISK_WAITS;
    bool is_good = (sector_bytes == 512 || sector_bytes == 4096) && bytes > 0 &&
                   bytes <= INT64_MAX && !(features & LEAT_BLK_READ_ONLY);
    bool is_known = d->bytes == 0 || (d->bytes == bytes && d->sector_bytes == sector_bytes);
    if (state != LEAT_BLK_READY || !is_good || !is_known)
        return STORE_DISK_FAILED;
    d->bytes = bytes;
    d->sector_bytes = sector_bytes;
    return STORE_DISK_READY;
}

enum store_disk_state store_disk_look(struct store_disk *d, uint64_t *bytes, uint32_t *sector_bytes)
{
    if (!d->is_gone && d->shared && !d->is_ready) {
        enum store_disk_state state = take_info(d);
        d->is_ready = state == STORE_DISK_READY;
        if (state == STORE_DISK_FAILED)
            store_disk_lose(d);
    }
    *bytes = d->bytes;
    *sector_bytes = d->sector_bytes;
    if (d->is_gone)
        return STORE_DISK_FAILED;
    return d->is_ready ? STORE_DISK_READY : STORE_DISK_WAITS;
}

static uint8_t *area_of(const struct store_disk *d, uint32_t number)
{
    return d->shared->data + (uint64_t)number * STORE_DISK_IO_BYTES;
}

/* False: there is no room now. */
static bool send(struct store_disk *d, struct store_io *io)
{
    static const uint32_t ops[] = {
        [STORE_IO_READ] = LEAT_BLK_READ,
        [STORE_IO_WRITE] = LEAT_BLK_WRITE,
        [STORE_IO_FLUSH] = LEAT_BLK_FLUSH,
    };
    if (!d->is_ready || !d->free_count)
        return false;
    uint32_t number = d->free[d->free_count - 1];
    struct leat_blk_request request = {
        .id = number,
        .op = ops[io->type],
        .offset = io->offset,
        .length = io->length,
        .data = (uint64_t)number * STORE_DISK_IO_BYTES,
    };
    if (io->type == STORE_IO_WRITE)
        memcpy(area_of(d, number), io->data, io->length);
    if (leat_ring_put(&d->requests, &request) != LEAT_OK)
        return false;
    d->free_count--;
    d->sent[number] = io;
    d->is_touched = true;
    return true;
}

void store_disk_submit(struct store_disk *d, struct store_io *io)
{
    /* Those before it go first: a flush that overtakes nothing is not needed, but fairness is. */
    if (d->is_gone)
        list_push_back(&d->failed, &io->node);
    else if (!list_is_empty(&d->waiting) || !send(d, io))
        list_push_back(&d->waiting, &io->node);
}

/* What had been sent waits again; all pieces of the data area are free. */
static void take_back(struct store_disk *d)
{
    d->free_count = 0;
    for (uint32_t i = 0; i < STORE_DISK_IOS; i++) {
        if (d->sent[i])
            list_push_front(&d->waiting, &d->sent[i]->node);
        d->sent[i] = NULL;
        d->free[d->free_count++] = i;
    }
}

void store_disk_pause(struct store_disk *d)
{
    d->shared = NULL;
    d->is_ready = d->is_touched = false;
    if (!d->is_gone)
        take_back(d);
}

void store_disk_resume(struct store_disk *d, struct leat_blk_channel *shared)
{
    d->shared = shared;
    d->is_ready = false;
    leat_ring_join(&d->requests, shared->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), true);
    leat_ring_join(&d->completions, shared->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), false);
}

void store_disk_lose(struct store_disk *d)
{
    struct list *node;
    store_disk_pause(d);
    d->is_gone = true;
    while ((node = list_pop(&d->waiting)))
        list_push_back(&d->failed, node);
}

static void complete(struct store_disk *d, const struct leat_blk_completion *completion)
{
    struct store_io *io = completion->id < STORE_DISK_IOS ? d->sent[completion->id] : NULL;
    if (!io) {
        store_disk_lose(d);
        return;
    }
    uint32_t number = (uint32_t)completion->id;
    bool is_ok = completion->status == LEAT_OK;
    if (is_ok && io->type == STORE_IO_READ)
        memcpy(io->data, area_of(d, number), io->length);
    d->sent[number] = NULL;
    d->free[d->free_count++] = number;
    io->done(io, is_ok);
}

static void fail_all(struct store_disk *d)
{
    struct list *node;
    while ((node = list_pop(&d->failed))) {
        struct store_io *io = LIST_ENTRY(node, struct store_io, node);
        io->done(io, false);
    }
}

void store_disk_run(struct store_disk *d)
{
    struct leat_blk_completion completion;
    uint64_t bytes;
    uint32_t sector_bytes;
    store_disk_look(d, &bytes, &sector_bytes);
    while (d->is_ready && leat_ring_get(&d->completions, &completion) == LEAT_OK) {
        d->is_touched = true;
        complete(d, &completion);
    }
    while (!list_is_empty(&d->waiting) &&
           send(d, LIST_ENTRY(d->waiting.next, struct store_io, node)))
        list_pop(&d->waiting);
    if (d->is_ready && (d->requests.is_broken || d->completions.is_broken))
        store_disk_lose(d);
    fail_all(d);
}

void store_disk_flush(struct store_disk *d)
{
    if (!d->is_touched)
        return;
    bool must = leat_ring_must_signal(&d->requests);
    must |= leat_ring_must_signal(&d->completions);
    d->is_touched = false;
    if (must)
        d->signal(d->ctx);
}

bool store_disk_may_sleep(struct store_disk *d)
{
    if (!list_is_empty(&d->failed))
        return false;
    return !d->shared || leat_ring_may_sleep(&d->completions) || d->completions.is_broken;
}
