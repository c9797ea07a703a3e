// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio block device: virtio 1.2, 5.2. It knows no transport (device.h) and gets its blocks
 * from a block channel (blkclient.h).
 *
 * The life of a request: the chain is taken into a slot, checked, and handed to the client; its
 * completion writes status and used element; interrupts go out once for a batch. When all slots are
 * taken, chains stay in the queue until one comes free. A reset abandons what is under way, and the
 * queues rest until the last of it is back, so that no old write can pass a new one.
 */
#ifndef VMM_VIRTIO_BLK_H
#define VMM_VIRTIO_BLK_H

#include "vmm/virtio/blkclient.h"
#include "vmm/virtio/device.h"

#define VIRTIO_BLK_QUEUE_SIZE 256u
#define VIRTIO_BLK_SLOTS 256u
#define VIRTIO_BLK_SEGMENTS (VQ_MAX_SEGMENTS - 2) /* data segments: without header and status */
#define VIRTIO_BLK_SIZE_MAX (1u << 20)            /* bytes in one segment */
#define VIRTIO_BLK_RANGES 16u               /* ranges in one discard or write-zeroes request */
#define VIRTIO_BLK_RANGE_SECTORS (1u << 21) /* 1 GiB in one range */
#define VIRTIO_BLK_ID_BYTES 20u
#define VIRTIO_BLK_CONFIG_BYTES 60u

struct virtio_blk_range { /* virtio 1.2, 5.2.6: struct virtio_blk_discard_write_zeroes */
    uint64_t sector;
    uint32_t sectors, flags;
};

struct virtio_blk;

struct virtio_blk_slot {
    struct virtio_blk *blk;
    struct blk_client_request io; /* the channel request under way */
    uint32_t type;                /* of the guest's request */
    unsigned queue;
    uint8_t *status;  /* where the status byte goes, in guest memory */
    uint32_t written; /* bytes of the used element if all goes well */
    bool flush_after; /* the write must be followed by a flush */
    bool is_busy;     /* holds a request */
    bool is_stale;    /* of before a reset */
    unsigned range, range_count;
    struct virtio_blk_range ranges[VIRTIO_BLK_RANGES];
    struct virtio_blk_slot *next_free;
    struct vq_chain chain;
};

struct virtio_blk {
    struct virtio_device device;
    struct blk_client *client;
    uint8_t config[VIRTIO_BLK_CONFIG_BYTES];
    char id[VIRTIO_BLK_ID_BYTES];
    uint64_t size_bytes; /* whole blocks */
    uint64_t raw_size;   /* what the server said that stands for */
    uint32_t block_size;
    uint32_t channel_features; /* enum leat_blk_feature */
    unsigned stale;            /* slots of before the last reset that are still out */
    uint32_t starved;          /* queues with chains left for lack of slots: one bit each */
    uint32_t unpublished;      /* queues with used elements to show: one bit each */
    struct virtio_blk_slot *free_slot;
    struct virtio_blk_slot slots[VIRTIO_BLK_SLOTS];
};

/* The disk's state must be READY or STALLED: LEAT_EAGAIN while its size is unknown, LEAT_EIO when
   it has failed, LEAT_EPROTO for a size that makes no sense. queues: 1..VIRTIO_MAX_QUEUES. id: the
   serial number, its first 20 bytes count. The client and the memory map must outlive the device.
 */
int virtio_blk_init(struct virtio_blk *blk, struct blk_client *client,
                    const struct guest_memory *memory, unsigned queues, const char *id);

/* A doorbell of that queue was rung. */
void virtio_blk_doorbell(struct virtio_blk *blk, unsigned queue);

/* The server has signalled. */
void virtio_blk_completions(struct virtio_blk *blk);

/* Before the device's thread sleeps: false, there is work: call virtio_blk_completions again. */
bool virtio_blk_may_sleep(struct virtio_blk *blk);

#endif
