// SPDX-License-Identifier: BSD-2-Clause
/* What a virtio block device says of itself: virtio 1.2, 5.2.3 to 5.2.5. Nothing of it is believed unseen. */
#include "drivers/block/virtio_private.h"

#include <string.h>

#define TRANSFER_LEAST (64u << 10) /* block.h: max_sectors */
#define READS_MOST 8u
#define PHYSICAL_EXP_MOST 7u

struct config {
    uint64_t capacity; /* in VIRTIO_BLK_UNIT */
    uint32_t size_max, seg_max, block_bytes, discard_max;
    uint8_t physical_exp, writeback;
};

uint64_t virtio_wanted(uint32_t config_bytes)
{
    static const struct {
        uint64_t feature;
        uint32_t bytes; /* how far the configuration must reach for it */
    } wants[] = {
        {VIRTIO_FEATURE_VERSION_1, 8},
        {VIRTIO_FEATURE_ACCESS_PLATFORM, 8},
        {VIRTIO_BLK_RO, 8},
        {VIRTIO_BLK_FLUSH, 8},
        {VIRTIO_BLK_SIZE_MAX, VIRTIO_BLK_AT_SIZE_MAX + 4},
        {VIRTIO_BLK_SEG_MAX, VIRTIO_BLK_AT_SEG_MAX + 4},
        {VIRTIO_BLK_BLK_SIZE, VIRTIO_BLK_AT_BLK_SIZE + 4},
        {VIRTIO_BLK_TOPOLOGY, VIRTIO_BLK_AT_PHYSICAL_EXP + 1},
        {VIRTIO_BLK_CONFIG_WCE, VIRTIO_BLK_AT_WRITEBACK + 1},
        {VIRTIO_BLK_DISCARD, VIRTIO_BLK_AT_DISCARD_MAX + 4},
    };
    uint64_t wanted = 0;

    for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++)
        wanted |= config_bytes >= wants[i].bytes ? wants[i].feature : 0;
    return wanted;
}

static uint32_t get(const struct virtio_blk *v, uint64_t feature, uint32_t at, unsigned bytes)
{
    return v->features & feature ? virtio_get(v, VIRTIO_PLACE_DEVICE, at, bytes) : 0;
}

/* 2.5.1: what was read belongs together if the generation has not changed meanwhile. */
static bool read_config(const struct virtio_blk *v, struct config *c)
{
    for (unsigned i = 0; i < READS_MOST; i++) {
        uint32_t before = virtio_get(v, VIRTIO_PLACE_COMMON, VIRTIO_GENERATION, 1);
        c->capacity = virtio_get(v, VIRTIO_PLACE_DEVICE, VIRTIO_BLK_AT_CAPACITY, 4);
        c->capacity |= (uint64_t)virtio_get(v, VIRTIO_PLACE_DEVICE, VIRTIO_BLK_AT_CAPACITY + 4, 4)
                       << 32;
        c->size_max = get(v, VIRTIO_BLK_SIZE_MAX, VIRTIO_BLK_AT_SIZE_MAX, 4);
        c->seg_max = get(v, VIRTIO_BLK_SEG_MAX, VIRTIO_BLK_AT_SEG_MAX, 4);
        c->block_bytes = get(v, VIRTIO_BLK_BLK_SIZE, VIRTIO_BLK_AT_BLK_SIZE, 4);
        c->physical_exp = (uint8_t)get(v, VIRTIO_BLK_TOPOLOGY, VIRTIO_BLK_AT_PHYSICAL_EXP, 1);
        c->writeback = (uint8_t)get(v, VIRTIO_BLK_CONFIG_WCE, VIRTIO_BLK_AT_WRITEBACK, 1);
        c->discard_max = get(v, VIRTIO_BLK_DISCARD, VIRTIO_BLK_AT_DISCARD_MAX, 4);
        if (before == virtio_get(v, VIRTIO_PLACE_COMMON, VIRTIO_GENERATION, 1))
            return true;
    }
    return false;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many descriptors each slot has for its data, and so how many slots there are: with small segments short transfers
   rather than few. Returns the bytes of one transfer. */
static uint32_t divide_queue(struct virtio_blk *v, const struct config *c)
{
    uint32_t size_max = v->features & VIRTIO_BLK_SIZE_MAX ? c->size_max : VIRTIO_BLK_TRANSFER_BYTES;

    if (size_max < VIRTIO_BLK_UNIT)
        return 0;
    v->segment_bytes = smaller(size_max, VIRTIO_BLK_TRANSFER_BYTES) & ~(VIRTIO_BLK_UNIT - 1);
    uint32_t wanted =
        v->segment_bytes >= TRANSFER_LEAST / 2 ? VIRTIO_BLK_TRANSFER_BYTES : TRANSFER_LEAST;
    v->segments = (wanted + v->segment_bytes - 1) / v->segment_bytes;
    if (v->features & VIRTIO_BLK_SEG_MAX)
        v->segments = smaller(v->segments, c->seg_max);
    v->segments = smaller(v->segments, v->entries - 2u);
    v->work.slots = smaller(v->entries / virtio_chain_length(v), BLOCK_SLOTS);
    return smaller(v->segments * v->segment_bytes, VIRTIO_BLK_TRANSFER_BYTES);
}

const char *virtio_read_config(struct virtio_blk *v, struct block_device_info *info)
{
    struct config c = {0};

    memset(info, 0, sizeof(*info));
    if (!read_config(v, &c))
        return "its configuration changes all the time";
    uint32_t sector = v->features & VIRTIO_BLK_BLK_SIZE ? c.block_bytes : VIRTIO_BLK_UNIT;
    uint32_t bytes = divide_queue(v, &c);
    if (bytes < TRANSFER_LEAST)
        return "it moves less than 64 KiB at a time";
    if (sector < VIRTIO_BLK_UNIT || c.capacity > UINT64_MAX / VIRTIO_BLK_UNIT)
        return "its size makes no sense";
    info->sector_bytes = sector;
    info->sectors = c.capacity * VIRTIO_BLK_UNIT / sector;
    info->physical_bytes = sector << smaller(c.physical_exp, PHYSICAL_EXP_MOST);
    if (!block_sizes_are_good(info->sectors, sector, info->physical_bytes))
        return "its size makes no sense";
    info->max_sectors = bytes / sector;
    info->max_discard_sectors = smaller(c.discard_max, VIRTIO_BLK_DISCARD_BYTES / VIRTIO_BLK_UNIT) /
                                (sector / VIRTIO_BLK_UNIT);
    info->queue_depth = v->work.slots;
    info->is_read_only = v->features & VIRTIO_BLK_RO;
    /* 5.2.6.2: without FLUSH a write is on the disk when it is done. */
    info->has_write_cache =
        (v->features & VIRTIO_BLK_FLUSH) && (!(v->features & VIRTIO_BLK_CONFIG_WCE) || c.writeback);
    return NULL;
}
