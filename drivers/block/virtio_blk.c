// SPDX-License-Identifier: BSD-2-Clause
/* The virtio-blk driver as block.h wants it: start, resets, end. */
#include "drivers/block/virtio_private.h"

#include <string.h>

/* 3.1.1, from the reset to a device that works. NULL, or why not; then it is reset. */
static const char *bring_up(struct virtio_blk *v, struct block_device_info *info)
{
    uint8_t id[VIRTIO_BLK_ID_LENGTH];
    const char *why = virtio_negotiate(v, virtio_wanted(v->place[VIRTIO_PLACE_DEVICE].bytes));

    why = why ? why : virtio_find_queue(v);
    why = why ? why : virtio_read_config(v, info);
    if (!why) {
        virtio_queue_clear(v);
        why = virtio_enable_queue(v);
    }
    if (!why && !virtio_queue_get_id(v, id))
        why = "it does not answer";
    if (why) {
        virtio_reset(v);
        return why;
    }
    memcpy(info->model, VIRTIO_NAME, sizeof(VIRTIO_NAME));
    block_copy_name(info->serial, id, sizeof(id));
    return NULL;
}

/* Said of a device that was reset, or cannot be, or is not there. */
static void give_up(struct virtio_blk *v, const char *why)
{
    block_logf(&v->platform, VIRTIO_NAME, "the device is given up: %s", why);
    v->state = VIRTIO_GONE;
    block_work_fail_all(&v->work);
}

static bool is_same_disk(const struct block_device_info *a, const struct block_device_info *b)
{
    return a->sectors == b->sectors && a->sector_bytes == b->sector_bytes &&
           a->max_sectors == b->max_sectors && a->max_discard_sectors == b->max_discard_sectors &&
           a->has_write_cache == b->has_write_cache && a->is_read_only == b->is_read_only &&
           !strcmp(a->serial, b->serial);
}

/* Whole, and waited for: a device that works does it at once. */
static void reset_device(struct virtio_blk *v, const char *why)
{
    struct block_device_info info;

    block_logf(&v->platform, VIRTIO_NAME, "the device is reset: %s", why);
    v->work.counters.resets++;
    if (!virtio_reset(v)) {
        give_up(v, virtio_status(v) == VIRTIO_STATUS_GONE ? "it answers no more"
                                                          : "it cannot be reset");
        return;
    }
    if (v->resets_in_row++ == VIRTIO_BLK_RESETS_MOST) {
        give_up(v, why);
        return;
    }
    block_work_repeat_all(&v->work, block_now(&v->platform));
    why = bring_up(v, &info);
    if (why) {
        give_up(v, why);
    } else if (!is_same_disk(&info, &v->info)) {
        virtio_reset(v);
        give_up(v, "it is another disk after the reset");
    }
}

static int virtio_start(void *state, const struct block_platform *platform,
                        const struct block_dma *dma)
{
    struct virtio_blk *v = state;

    if (!block_dma_is_good(dma, VIRTIO_DMA_BYTES))
        return LEAT_EINVAL;
    v->platform = *platform;
    v->dma = *dma;
    if (virtio_find_places(v) != LEAT_OK)
        return LEAT_EIO;
    const char *why = virtio_reset(v) ? bring_up(v, &v->info) : "it cannot be reset";
    if (why) {
        block_logf(platform, VIRTIO_NAME, "the device cannot be used: %s", why);
        return LEAT_EIO;
    }
    v->is_started = true;
    v->state = VIRTIO_RUNNING;
    return LEAT_OK;
}

static unsigned virtio_unit_count(const void *state)
{
    return ((const struct virtio_blk *)state)->is_started;
}

static const struct block_device_info *virtio_info(const void *state, unsigned unit)
{
    const struct virtio_blk *v = state;

    return unit == 0 && v->state == VIRTIO_RUNNING ? &v->info : NULL;
}

static int virtio_submit(void *state, unsigned unit, struct block_command *command)
{
    struct virtio_blk *v = state;
    int error = block_check(virtio_info(v, unit), command);

    if (error != LEAT_OK)
        return error;
    block_work_add(&v->work, unit, command);
    virtio_queue_pump(v);
    return LEAT_OK;
}

static int poll(struct virtio_blk *v)
{
    int count = virtio_queue_poll(v);

    if (count < 0)
        reset_device(v, "its used ring makes no sense");
    return count;
}

/* Does the device work? If not, it is reset or gone. */
static bool is_well(struct virtio_blk *v)
{
    uint32_t status = virtio_status(v);

    if (status == VIRTIO_STATUS_GONE)
        give_up(v, "it answers no more");
    else if (status & VIRTIO_STATUS_NEEDS_RESET)
        reset_device(v, "it asks for that");
    else if (!(status & VIRTIO_STATUS_DRIVER_OK))
        reset_device(v, "it has stopped by itself");
    else
        return true;
    return false;
}

static void finish(struct virtio_blk *v)
{
    block_work_deliver(&v->work);
    virtio_queue_pump(v);
}

static bool virtio_interrupt(void *state)
{
    struct virtio_blk *v = state;
    uint32_t isr = 0;
    int count = 0;

    if (v->state == VIRTIO_RUNNING) {
        isr = virtio_get(v, VIRTIO_PLACE_ISR, 0, 1); /* reading lowers the line: 4.1.4.5 */
        if (!(isr & VIRTIO_ISR_CONFIG) || is_well(v))
            count = poll(v);
    }
    if (isr || count > 0)
        block_work_interrupted(&v->work);
    finish(v);
    return isr != 0;
}

static bool is_overdue(const struct virtio_blk *v, uint64_t now_ns)
{
    return v->state == VIRTIO_RUNNING && block_work_overdue(&v->work, now_ns) >= 0;
}

static uint64_t virtio_tick(void *state)
{
    struct virtio_blk *v = state;

    if (v->state != VIRTIO_OFF) {
        uint64_t now_ns = block_now(&v->platform);
        if (v->state == VIRTIO_RUNNING && block_work_watch(&v->work, now_ns) && is_well(v)) {
            int count = poll(v);
            block_work_watched(&v->work, count > 0 ? (unsigned)count : 0);
        }
        if (is_overdue(v, now_ns) && poll(v) >= 0 && is_overdue(v, now_ns)) {
            v->work.counters.timeouts++;
            reset_device(v, "a command does not end");
        }
        finish(v);
    }
    return block_work_next(&v->work);
}

static void virtio_stop(void *state)
{
    struct virtio_blk *v = state;

    if (v->state != VIRTIO_OFF)
        virtio_reset(v);
    v->state = VIRTIO_OFF;
    v->work = (struct block_work){.slots = v->work.slots, .counters = v->work.counters};
}

static const struct block_counters *virtio_counters(const void *state)
{
    return &((const struct virtio_blk *)state)->work.counters;
}

const struct block_driver block_driver_virtio_blk = {
    .name = VIRTIO_NAME,
    .state_bytes = sizeof(struct virtio_blk),
    .dma_bytes = VIRTIO_DMA_BYTES,
    .start = virtio_start,
    .unit_count = virtio_unit_count,
    .info = virtio_info,
    .submit = virtio_submit,
    .interrupt = virtio_interrupt,
    .tick = virtio_tick,
    .stop = virtio_stop,
    .counters = virtio_counters,
};
