// SPDX-License-Identifier: BSD-2-Clause
/* The PCI transport of version 1: virtio 1.2, 4.1, 3.1. */
#include "drivers/block/virtio_private.h"

#define RESET_LIMIT_MS 1000u
#define POLL_US 50u

/* PCI Local Bus 3.0, 6.1 and 6.7: configuration space */
enum {
    PCI_COMMAND = 0x04,
    PCI_CAPABILITIES = 0x34,
    PCI_FIRST_CAPABILITY = 0x40,
    PCI_STATUS_HAS_LIST = 1u << 20, /* in the doubleword at PCI_COMMAND */
    PCI_CAPABILITY_VENDOR = 0x09,
    PCI_CAPABILITIES_MOST = 48, /* of 4 bytes, in 192 */
};

static uint32_t config(const struct virtio_blk *v, unsigned offset)
{
    return offset <= 0xfc ? v->platform.config_read(v->platform.context, offset) : UINT32_MAX;
}

/* What a structure must have at least: 4.1.4.3 to 4.1.4.6. */
static const uint32_t least[VIRTIO_PLACES] = {
    [VIRTIO_PLACE_COMMON] = VIRTIO_COMMON_LENGTH,
    [VIRTIO_PLACE_NOTIFY] = 2,
    [VIRTIO_PLACE_ISR] = 1,
    [VIRTIO_PLACE_DEVICE] = 8,
};

/* 4.1.4: of several structures of a type the first that we can use. */
static void look_at(struct virtio_blk *v, unsigned at)
{
    unsigned type = config(v, at) >> 24;
    struct virtio_place place = {
        .region = (uint8_t)config(v, at + VIRTIO_CAP_BAR),
        .offset = config(v, at + VIRTIO_CAP_OFFSET),
        .bytes = config(v, at + VIRTIO_CAP_LENGTH),
    };

    if (type == 0 || type >= VIRTIO_PLACES || v->place[type].bytes ||
        place.region >= BLOCK_REGION_BARS)
        return;
    uint32_t region = v->platform.region_bytes(v->platform.context, place.region);
    if (place.bytes < least[type] || place.bytes > region || place.offset > region - place.bytes ||
        (place.offset % 4 && type != VIRTIO_PLACE_ISR))
        return;
    v->place[type] = place;
    if (type == VIRTIO_PLACE_NOTIFY)
        v->notify_multiplier = config(v, at + VIRTIO_CAP_MULTIPLIER);
}

int virtio_find_places(struct virtio_blk *v)
{
    bool has_list = config(v, PCI_COMMAND) & PCI_STATUS_HAS_LIST;
    unsigned at = has_list ? config(v, PCI_CAPABILITIES) & 0xfc : 0;

    for (unsigned i = 0; i < PCI_CAPABILITIES_MOST && at >= PCI_FIRST_CAPABILITY; i++) {
        uint32_t head = config(v, at);
        if ((head & 0xff) == PCI_CAPABILITY_VENDOR)
            look_at(v, at);
        at = head >> 8 & 0xfc;
    }
    for (unsigned type = VIRTIO_PLACE_COMMON; type < VIRTIO_PLACES; type++) {
        if (v->place[type].bytes)
            continue;
        block_logf(&v->platform, VIRTIO_NAME,
                   "the device cannot be used: its structure %u is not there (a device of before "
                   "virtio 1.0?)",
                   type);
        return LEAT_EIO;
    }
    return LEAT_OK;
}

/* 4.1.4.3.2: the driver waits until the status reads as 0. */
bool virtio_reset(struct virtio_blk *v)
{
    uint64_t limit_ns = block_now(&v->platform) + RESET_LIMIT_MS * BLOCK_NS_PER_MS;

    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_STATUS, 1, 0);
    while (virtio_status(v) != 0) {
        if (block_now(&v->platform) >= limit_ns)
            return false;
        block_delay(&v->platform, POLL_US);
    }
    return true;
}

static void add_status(struct virtio_blk *v, uint32_t bit)
{
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_STATUS, 1, virtio_status(v) | bit);
}

static uint64_t offered(const struct virtio_blk *v)
{
    uint64_t features;

    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_OFFERED_SELECT, 4, 0);
    features = virtio_get(v, VIRTIO_PLACE_COMMON, VIRTIO_OFFERED, 4);
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_OFFERED_SELECT, 4, 1);
    return features | (uint64_t)virtio_get(v, VIRTIO_PLACE_COMMON, VIRTIO_OFFERED, 4) << 32;
}

const char *virtio_negotiate(struct virtio_blk *v, uint64_t wanted)
{
    add_status(v, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(v, VIRTIO_STATUS_DRIVER);
    v->features = offered(v) & wanted;
    if (!(v->features & VIRTIO_FEATURE_VERSION_1))
        return "it does not know virtio 1.0";
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_ACCEPTED_SELECT, 4, 0);
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_ACCEPTED, 4, (uint32_t)v->features);
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_ACCEPTED_SELECT, 4, 1);
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_ACCEPTED, 4, (uint32_t)(v->features >> 32));
    add_status(v, VIRTIO_STATUS_FEATURES_OK);
    return virtio_status(v) & VIRTIO_STATUS_FEATURES_OK ? NULL
                                                        : "it refuses a part of what it offers";
}

const char *virtio_find_queue(struct virtio_blk *v)
{
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_QUEUE_SELECT, 2, 0);
    uint32_t most = virtio_get(v, VIRTIO_PLACE_COMMON, VIRTIO_QUEUE_SIZE, 2);
    uint32_t entries = VIRTIO_QUEUE_ENTRIES;

    while (entries > most) /* 2.7: a power of two */
        entries /= 2;
    v->entries = (uint16_t)entries;
    return entries < 4 ? "it has no queue" : NULL;
}

static void put_address(struct virtio_blk *v, uint32_t at, uint64_t hpa)
{
    virtio_put(v, VIRTIO_PLACE_COMMON, at, 4, (uint32_t)hpa);
    virtio_put(v, VIRTIO_PLACE_COMMON, at + 4, 4, (uint32_t)(hpa >> 32));
}

const char *virtio_enable_queue(struct virtio_blk *v)
{
    const struct virtio_place *notify = &v->place[VIRTIO_PLACE_NOTIFY];
    uint64_t notify_at = (uint64_t)virtio_get(v, VIRTIO_PLACE_COMMON, VIRTIO_QUEUE_NOTIFY_OFF, 2) *
                         v->notify_multiplier;

    if (notify_at > notify->bytes - 2)
        return "the place to notify its queue lies outside of its registers";
    v->notify_offset = notify->offset + (uint32_t)notify_at;
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_CONFIG_VECTOR, 2, VIRTIO_VECTOR_NONE);
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_QUEUE_SIZE, 2, v->entries);
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_QUEUE_VECTOR, 2, VIRTIO_VECTOR_NONE);
    put_address(v, VIRTIO_QUEUE_DESC, v->dma.hpa + VIRTIO_DMA_DESC);
    put_address(v, VIRTIO_QUEUE_DRIVER, v->dma.hpa + VIRTIO_DMA_AVAIL);
    put_address(v, VIRTIO_QUEUE_DEVICE, v->dma.hpa + VIRTIO_DMA_USED);
    virtio_put(v, VIRTIO_PLACE_COMMON, VIRTIO_QUEUE_ENABLE, 2, 1);
    add_status(v, VIRTIO_STATUS_DRIVER_OK);
    return virtio_status(v) & VIRTIO_STATUS_NEEDS_RESET ? "it wants a reset as soon as it is on"
                                                        : NULL;
}
