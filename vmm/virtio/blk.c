// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/blk.h"

#include <string.h>
#include "lib/assert.h"
#include "vmm/virtio/blk_request.h"

/* Chains taken in one go, so that a driver that never stops cannot keep the lock. */
#define CHAINS_AT_ONCE (2u * VIRTIO_BLK_QUEUE_SIZE)

/* -- queues and slots -- */

void virtio_blk_finish(struct virtio_blk_slot *slot, enum virtio_blk_status status)
{
    struct virtio_blk *blk = slot->blk;
    if (slot->is_stale) {
        blk->stale--;
    } else {
        *slot->status = (uint8_t)status;
        vq_push(&blk->device.queues[slot->queue], slot->chain.head,
                status == BLK_S_OK ? slot->written : 1);
        blk->unpublished |= 1u << slot->queue;
    }
    slot->is_busy = slot->is_stale = false;
    slot->next_free = blk->free_slot;
    blk->free_slot = slot;
}

/* False: the queue is broken. */
static bool take_chain(struct virtio_blk *blk, unsigned queue, bool *is_empty)
{
    struct virtqueue *vq = &blk->device.queues[queue];
    struct virtio_blk_slot *slot = blk->free_slot;
    int error = vq_pop(vq, &slot->chain);
    *is_empty = error == LEAT_EAGAIN;
    if (*is_empty)
        return true;
    if (error) {
        virtio_fail(&blk->device, vq->broken);
        return false;
    }
    blk->free_slot = slot->next_free;
    slot->is_busy = true;
    slot->queue = queue;
    if (virtio_blk_start(slot))
        return true;
    slot->is_busy = false;
    slot->next_free = blk->free_slot;
    blk->free_slot = slot;
    virtio_fail(&blk->device, "block request without header or status");
    return false;
}

static void take_chains(struct virtio_blk *blk, unsigned queue)
{
    struct virtqueue *vq = &blk->device.queues[queue];
    if (!virtio_is_running(&blk->device) || !vq->is_enabled)
        return;
    unsigned budget = CHAINS_AT_ONCE;
    do {
        vq_doorbell_off(vq);
        for (bool is_empty = false; !is_empty;) {
            if (blk->stale || !blk->free_slot || !budget--) {
                blk->starved |= 1u << queue; /* no doorbell until it has been served */
                return;
            }
            if (!take_chain(blk, queue, &is_empty))
                return;
        }
    } while (vq_doorbell_on(vq));
}

static bool can_feed(const struct virtio_blk *blk)
{
    return blk->starved && blk->free_slot && !blk->stale && virtio_is_running(&blk->device);
}

static void feed_starved(struct virtio_blk *blk)
{
    if (!can_feed(blk))
        return;
    uint32_t starved = blk->starved;
    blk->starved = 0;
    for (unsigned i = 0; i < blk->device.queue_count; i++)
        if (starved & (1u << i))
            take_chains(blk, i);
}

/* One index update and at most one interrupt a queue, one signal to the server. */
static void publish(struct virtio_blk *blk)
{
    uint32_t unpublished = blk->unpublished;
    blk->unpublished = 0;
    for (unsigned i = 0; unpublished >> i; i++)
        if (unpublished >> i & 1)
            virtio_queue_publish(&blk->device, i);
    blk_client_flush(blk->client);
}

void virtio_blk_doorbell(struct virtio_blk *blk, unsigned queue)
{
    if (queue >= blk->device.queue_count)
        return;
    take_chains(blk, queue);
    publish(blk);
}

static void put(struct virtio_blk *blk, unsigned offset, unsigned width, uint64_t value)
{
    memcpy(blk->config + offset, &value, width); /* little endian, like the machine */
}

/* The server may come back with another size (a resized export). */
static void follow_size(struct virtio_blk *blk)
{
    struct blk_client_info info;
    uint64_t size = __atomic_load_n(&blk->client->channel->info.size_bytes, __ATOMIC_RELAXED);
    if (size == blk->raw_size)
        return;
    if (blk_client_get_info(blk->client->channel, &info) != LEAT_OK || info.state != LEAT_BLK_READY)
        return;
    blk->raw_size = size;
    if (info.size_bytes == blk->size_bytes)
        return;
    blk->size_bytes = info.size_bytes & ~(uint64_t)(blk->block_size - 1);
    put(blk, BLK_CONFIG_CAPACITY, 8, blk->size_bytes / VIRTIO_BLK_SECTOR);
    virtio_config_changed(&blk->device);
}

void virtio_blk_completions(struct virtio_blk *blk)
{
    blk_client_poll(blk->client);
    feed_starved(blk);
    publish(blk);
    follow_size(blk);
}

bool virtio_blk_may_sleep(struct virtio_blk *blk)
{
    return !can_feed(blk) && blk_client_may_sleep(blk->client);
}

/* -- the device's side of device.h -- */

static void on_features_ok(void *device)
{
    struct virtio_blk *blk = device;
    uint64_t both = BLK_F_FLUSH | BLK_F_CONFIG_WCE;
    /* virtio 1.2, 5.2.5.2: a driver that cannot flush gets a disk that needs no flush */
    if ((blk->device.features & both) == BLK_F_CONFIG_WCE)
        blk->config[BLK_CONFIG_WRITEBACK] = 0;
}

static void on_driver_ok(void *device)
{
    struct virtio_blk *blk = device;
    for (unsigned i = 0; i < blk->device.queue_count; i++)
        take_chains(blk, i);
    publish(blk);
}

static void set_writeback(struct virtio_blk *blk)
{
    blk->config[BLK_CONFIG_WRITEBACK] = !!(blk->channel_features & LEAT_BLK_CAN_FLUSH);
}

static void on_reset(void *device)
{
    struct virtio_blk *blk = device;
    for (unsigned i = 0; i < VIRTIO_BLK_SLOTS; i++) {
        if (blk->slots[i].is_busy && !blk->slots[i].is_stale) {
            blk->slots[i].is_stale = true;
            blk->stale++;
        }
    }
    blk->starved = blk->unpublished = 0;
    set_writeback(blk);
    blk_client_abandon(blk->client);
}

static void on_notify(void *device, unsigned queue)
{
    virtio_blk_doorbell(device, queue);
}

static void on_config_write(void *device, unsigned offset, unsigned width, uint32_t value)
{
    struct virtio_blk *blk = device;
    if (offset == BLK_CONFIG_WRITEBACK && width == 1 && (blk->device.features & BLK_F_CONFIG_WCE))
        blk->config[BLK_CONFIG_WRITEBACK] = value & 1;
}

static const struct virtio_device_ops device_ops = {
    .features_ok = on_features_ok,
    .driver_ok = on_driver_ok,
    .reset = on_reset,
    .notify = on_notify,
    .config_write = on_config_write,
};

/* -- making it -- */

static uint64_t offered_features(uint32_t features, unsigned queues)
{
    uint64_t offered = BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY;
    if (features & LEAT_BLK_CAN_FLUSH)
        offered |= BLK_F_FLUSH | BLK_F_CONFIG_WCE;
    if (queues > 1)
        offered |= BLK_F_MQ;
    if (features & LEAT_BLK_READ_ONLY)
        return offered | BLK_F_RO;
    if (features & LEAT_BLK_CAN_DISCARD)
        offered |= BLK_F_DISCARD;
    if (features & LEAT_BLK_CAN_ZERO)
        offered |= BLK_F_WRITE_ZEROES;
    return offered;
}

static void fill_config(struct virtio_blk *blk, const struct blk_client_info *info, unsigned queues)
{
    uint32_t sectors_per_block = info->block_size / VIRTIO_BLK_SECTOR;
    put(blk, BLK_CONFIG_CAPACITY, 8, info->size_bytes / VIRTIO_BLK_SECTOR);
    put(blk, BLK_CONFIG_SIZE_MAX, 4, VIRTIO_BLK_SIZE_MAX);
    put(blk, BLK_CONFIG_SEG_MAX, 4, VIRTIO_BLK_SEGMENTS);
    put(blk, BLK_CONFIG_BLK_SIZE, 4, info->block_size);
    put(blk, BLK_CONFIG_PHYSICAL_EXP, 1, info->block_size == 512 ? 3 : 0); /* pages of 4 KiB */
    put(blk, BLK_CONFIG_MIN_IO, 2, 1);
    put(blk, BLK_CONFIG_OPT_IO, 4, info->optimal_size / info->block_size);
    set_writeback(blk);
    put(blk, BLK_CONFIG_QUEUES, 2, queues);
    put(blk, BLK_CONFIG_DISCARD_SECTORS, 4, VIRTIO_BLK_RANGE_SECTORS);
    put(blk, BLK_CONFIG_DISCARD_RANGES, 4, VIRTIO_BLK_RANGES);
    put(blk, BLK_CONFIG_DISCARD_ALIGNMENT, 4, sectors_per_block);
    put(blk, BLK_CONFIG_ZEROES_SECTORS, 4, VIRTIO_BLK_RANGE_SECTORS);
    put(blk, BLK_CONFIG_ZEROES_RANGES, 4, VIRTIO_BLK_RANGES);
    put(blk, BLK_CONFIG_ZEROES_MAY_UNMAP, 1, 1);
}

int virtio_blk_init(struct virtio_blk *blk, struct blk_client *client,
                    const struct guest_memory *memory, unsigned queues, const char *id)
{
    LEAT_ASSERT(queues && queues <= VIRTIO_MAX_QUEUES);
    struct blk_client_info info;
    int error = blk_client_get_info(client->channel, &info);
    if (error)
        return error;
    if (info.state == LEAT_BLK_FAILED)
        return LEAT_EIO;
    if (info.state != LEAT_BLK_READY && info.state != LEAT_BLK_STALLED)
        return LEAT_EAGAIN;
    memset(blk, 0, sizeof(*blk));
    blk->client = client;
    blk->size_bytes = info.size_bytes;
    blk->raw_size = client->channel->info.size_bytes;
    blk->block_size = info.block_size;
    blk->channel_features = info.features;
    size_t id_length = strlen(id);
    memcpy(blk->id, id, id_length < VIRTIO_BLK_ID_BYTES ? id_length : VIRTIO_BLK_ID_BYTES);
    fill_config(blk, &info, queues);
    for (unsigned i = 0; i < VIRTIO_BLK_SLOTS; i++) {
        blk->slots[i].blk = blk;
        blk->slots[i].next_free = i + 1 < VIRTIO_BLK_SLOTS ? &blk->slots[i + 1] : NULL;
    }
    blk->free_slot = blk->slots;
    struct virtio_device *dev = &blk->device;
    dev->memory = memory;
    dev->ops = &device_ops;
    dev->device = blk;
    dev->offered = offered_features(info.features, queues);
    dev->queue_count = queues;
    dev->queue_max_size = VIRTIO_BLK_QUEUE_SIZE;
    dev->config = blk->config;
    dev->config_size = sizeof(blk->config);
    virtio_device_init(dev);
    return LEAT_OK;
}
