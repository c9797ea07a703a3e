// SPDX-License-Identifier: BSD-2-Clause
/* A virtio block device over PCI at the level of its registers and rings, for tests of drivers/block: virtio 1.2, as in
   virtio_regs.h. */
#ifndef TESTS_UNIT_VIRTIO_BLK_MODEL_H
#define TESTS_UNIT_VIRTIO_BLK_MODEL_H

#include "block_user.h"
#include "drivers/block/virtio_blk.h"
#include "drivers/block/virtio_regs.h"

#define MODEL_CONFIG_BYTES 60u
#define VIRTIO_MODEL_HELD 256u

struct virtio_blk_model {
    struct block_user user; /* first: the platform's context */
    uint8_t pci[256];
    uint64_t offered, accepted;
    uint32_t offered_select, accepted_select;
    uint8_t status, isr, generation, config[MODEL_CONFIG_BYTES];
    uint16_t queue_most, queue_size, queue_enable, notify_off;
    uint64_t desc_hpa, avail_hpa, used_hpa;
    uint16_t avail_seen, used_index;
    uint8_t *content;
    uint64_t bytes;
    char id[20];
    uint16_t held[VIRTIO_MODEL_HELD]; /* heads; user.held_count */
    unsigned seen[16];                /* requests by type */
    unsigned starts;                  /* DRIVER_OK */
    bool is_dirty;                    /* written and not flushed */
    /* faults */
    bool never_resets, refuses_features, config_moves, no_notify;
    bool swallows_all;
    uint8_t fail_status;
    enum {
        VIRTIO_LIE_NONE,
        VIRTIO_LIE_ID,
        VIRTIO_LIE_INSIDE,
        VIRTIO_LIE_IDLE,
        VIRTIO_LIE_INDEX,
        VIRTIO_LIE_SHORT,
        VIRTIO_LIE_NO_STATUS
    } lie; /* the next one */
};

/* sectors: of 512 bytes */
void virtio_blk_model_init(struct virtio_blk_model *model, uint64_t sectors, uint64_t features);
void virtio_blk_model_free(struct virtio_blk_model *model);
int virtio_blk_model_start(struct virtio_blk_model *model);
void virtio_blk_model_config(struct virtio_blk_model *model, unsigned at, uint64_t value,
                             unsigned bytes);

#endif
