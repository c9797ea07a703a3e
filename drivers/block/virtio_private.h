// SPDX-License-Identifier: BSD-2-Clause
/* Between the files of the virtio-blk driver only. */
#ifndef DRIVERS_BLOCK_VIRTIO_PRIVATE_H
#define DRIVERS_BLOCK_VIRTIO_PRIVATE_H

#include "drivers/block/virtio_blk.h"
#include "drivers/block/virtio_regs.h"
#include "drivers/block/logf.h"
#include "drivers/block/work.h"

#define VIRTIO_NAME "virtio-blk"
#define VIRTIO_QUEUE_ENTRIES 256u /* descriptors, at most */

struct virtio_slot { /* what the device sees of a command beside its data */
    struct virtio_blk_head head;
    uint8_t status, pad[15];
    union {
        struct virtio_blk_piece piece;
        uint8_t id[VIRTIO_BLK_ID_LENGTH];
        uint8_t room[32];
    };
};
_Static_assert(sizeof(struct virtio_slot) == 64, "slots do not share a cache line");

enum virtio_dma_layout {
    VIRTIO_DMA_DESC = 0,
    VIRTIO_DMA_AVAIL = 0x1000,
    VIRTIO_DMA_USED = 0x2000,
    VIRTIO_DMA_SLOTS = 0x3000,
    VIRTIO_DMA_BYTES = VIRTIO_DMA_SLOTS + BLOCK_SLOTS * 64,
};
_Static_assert(VIRTIO_QUEUE_ENTRIES * sizeof(struct virtq_desc) <= 4096 &&
                   sizeof(struct virtq_used) +
                           VIRTIO_QUEUE_ENTRIES * sizeof(struct virtq_used_element) <=
                       4096,
               "fits");

struct virtio_place { /* of a structure; bytes 0: there is none */
    uint8_t region;
    uint32_t offset, bytes;
};

enum virtio_state {
    VIRTIO_OFF,
    VIRTIO_RUNNING,
    VIRTIO_GONE, /* answers no more, or no reset helps */
};

struct virtio_blk {
    struct block_platform platform;
    struct block_dma dma;
    enum virtio_state state;
    struct virtio_place place[VIRTIO_PLACES]; /* by enum virtio_place_type */
    uint32_t notify_multiplier;
    uint32_t notify_offset; /* of our queue, in the region */
    uint64_t features;      /* negotiated */
    uint16_t entries;       /* of the queue */
    uint16_t avail_index, used_index;
    unsigned segments;      /* descriptors for data in each slot */
    uint32_t segment_bytes; /* of each, at most */
    unsigned resets_in_row;
    bool is_started; /* start() has succeeded */
    struct block_work work;
    struct block_device_info info;
};

static inline uint32_t virtio_get(const struct virtio_blk *v, unsigned place, uint32_t at,
                                  unsigned bytes)
{
    const struct virtio_place *p = &v->place[place];
    return (uint32_t)block_read(&v->platform, p->region, p->offset + at, bytes);
}
static inline void virtio_put(const struct virtio_blk *v, unsigned place, uint32_t at,
                              unsigned bytes, uint32_t value)
{
    const struct virtio_place *p = &v->place[place];
    block_write(&v->platform, p->region, p->offset + at, bytes, value);
}
static inline uint32_t virtio_status(const struct virtio_blk *v)
{
    return virtio_get(v, VIRTIO_PLACE_COMMON, VIRTIO_STATUS, 1);
}
#define VIRTIO_STATUS_GONE 0xffu /* what a removed device's register reads as */

static inline struct virtio_slot *virtio_slot(const struct virtio_blk *v, unsigned slot)
{
    return (struct virtio_slot *)(v->dma.va + VIRTIO_DMA_SLOTS) + slot;
}
static inline unsigned virtio_chain_length(const struct virtio_blk *v)
{
    return v->segments + 2;
}

/* -- virtio_pci.c: the transport, 4.1 -- */

/* Finds the structures. LEAT_EIO, with a line in the log: some are missing, or lie outside of their BARs. */
int virtio_find_places(struct virtio_blk *v);
/* Writes 0 to the status and waits for it; then the device reaches no memory. False: it does not follow. */
bool virtio_reset(struct virtio_blk *v);
/* From the reset to FEATURES_OK; v->features. NULL, or why not. */
const char *virtio_negotiate(struct virtio_blk *v, uint64_t wanted);
/* The size of queue 0: v->entries. NULL, or why not. */
const char *virtio_find_queue(struct virtio_blk *v);
/* Enables queue 0 with the memory in v->dma, then DRIVER_OK. NULL, or why not. */
const char *virtio_enable_queue(struct virtio_blk *v);

/* -- virtio_config.c: what the device says of itself, 5.2.4 -- */

/* v->segments, v->segment_bytes, v->work.slots, and info but for the names. NULL, or why it cannot be used. */
const char *virtio_read_config(struct virtio_blk *v, struct block_device_info *info);
/* The features that the driver wants of a device whose configuration has so many bytes. */
uint64_t virtio_wanted(uint32_t config_bytes);

/* -- virtio_queue.c: requests, 2.7 and 5.2.6 -- */

/* Empty rings. */
void virtio_queue_clear(struct virtio_blk *v);
/* Gives the device what waits. */
void virtio_queue_pump(struct virtio_blk *v);
/* Takes used elements; returns how many; -1: the ring makes no sense. */
int virtio_queue_poll(struct virtio_blk *v);
/* Asks for the serial number, while nothing else is under way: zeros if the device tells none. False: no answer in time. */
bool virtio_queue_get_id(struct virtio_blk *v, uint8_t id[VIRTIO_BLK_ID_LENGTH]);

#endif
