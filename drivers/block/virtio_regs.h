// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio PCI transport, the split virtqueue and the block device, from the driver's side; virtio 1.2, its clauses are
 * given. vmm/virtio has the device's side with numbers of its own: the one is tested against the other.
 */
#ifndef DRIVERS_BLOCK_VIRTIO_REGS_H
#define DRIVERS_BLOCK_VIRTIO_REGS_H

#include <leat/types.h>

/* 4.1.4: struct virtio_pci_cap; byte offsets in the capability */
enum virtio_cap {
    VIRTIO_CAP_TYPE = 3,
    VIRTIO_CAP_BAR = 4,
    VIRTIO_CAP_OFFSET = 8,
    VIRTIO_CAP_LENGTH = 12,
    VIRTIO_CAP_MULTIPLIER = 16, /* of VIRTIO_PLACE_NOTIFY */
};
enum virtio_place_type { /* 4.1.4: cfg_type */
                         VIRTIO_PLACE_COMMON = 1,
                         VIRTIO_PLACE_NOTIFY = 2,
                         VIRTIO_PLACE_ISR = 3,
                         VIRTIO_PLACE_DEVICE = 4,
                         VIRTIO_PLACES = 5,
};

enum virtio_common { /* 4.1.4.3: struct virtio_pci_common_cfg */
                     VIRTIO_OFFERED_SELECT = 0x00,
                     VIRTIO_OFFERED = 0x04,
                     VIRTIO_ACCEPTED_SELECT = 0x08,
                     VIRTIO_ACCEPTED = 0x0c,
                     VIRTIO_CONFIG_VECTOR = 0x10,
                     VIRTIO_STATUS = 0x14,     /* 1 byte */
                     VIRTIO_GENERATION = 0x15, /* 1 byte */
                     VIRTIO_QUEUE_SELECT = 0x16,
                     VIRTIO_QUEUE_SIZE = 0x18,
                     VIRTIO_QUEUE_VECTOR = 0x1a,
                     VIRTIO_QUEUE_ENABLE = 0x1c,
                     VIRTIO_QUEUE_NOTIFY_OFF = 0x1e,
                     VIRTIO_QUEUE_DESC = 0x20, /* 8 bytes, as the next two */
                     VIRTIO_QUEUE_DRIVER = 0x28,
                     VIRTIO_QUEUE_DEVICE = 0x30,
                     VIRTIO_COMMON_LENGTH = 0x38,
};
#define VIRTIO_VECTOR_NONE 0xffffu /* 4.1.5.1.2 */

enum virtio_device_status { /* 2.1 */
                            VIRTIO_STATUS_ACKNOWLEDGE = 1u << 0,
                            VIRTIO_STATUS_DRIVER = 1u << 1,
                            VIRTIO_STATUS_DRIVER_OK = 1u << 2,
                            VIRTIO_STATUS_FEATURES_OK = 1u << 3,
                            VIRTIO_STATUS_NEEDS_RESET = 1u << 6,
};

enum virtio_isr { /* 4.1.4.5 */
                  VIRTIO_ISR_QUEUE = 1u << 0,
                  VIRTIO_ISR_CONFIG = 1u << 1,
};

/* 6 */
#define VIRTIO_FEATURE_VERSION_1 (1ull << 32)
#define VIRTIO_FEATURE_ACCESS_PLATFORM (1ull << 33)

enum virtio_blk_features { /* 5.2.3 */
                           VIRTIO_BLK_SIZE_MAX = 1u << 1,
                           VIRTIO_BLK_SEG_MAX = 1u << 2,
                           VIRTIO_BLK_RO = 1u << 5,
                           VIRTIO_BLK_BLK_SIZE = 1u << 6,
                           VIRTIO_BLK_FLUSH = 1u << 9,
                           VIRTIO_BLK_TOPOLOGY = 1u << 10,
                           VIRTIO_BLK_CONFIG_WCE = 1u << 11,
                           VIRTIO_BLK_DISCARD = 1u << 13,
};

enum virtio_blk_config { /* 5.2.4: struct virtio_blk_config */
                         VIRTIO_BLK_AT_CAPACITY = 0,
                         VIRTIO_BLK_AT_SIZE_MAX = 8,
                         VIRTIO_BLK_AT_SEG_MAX = 12,
                         VIRTIO_BLK_AT_BLK_SIZE = 20,
                         VIRTIO_BLK_AT_PHYSICAL_EXP = 24, /* 1 byte */
                         VIRTIO_BLK_AT_WRITEBACK = 32,    /* 1 byte */
                         VIRTIO_BLK_AT_DISCARD_MAX = 36,
};
#define VIRTIO_BLK_UNIT                                                                            \
    512u /* 5.2.4: what capacity, sector numbers and lengths of a DISCARD count */

enum virtio_blk_request { /* 5.2.6 */
                          VIRTIO_BLK_IN = 0,
                          VIRTIO_BLK_OUT = 1,
                          VIRTIO_BLK_DO_FLUSH = 4,
                          VIRTIO_BLK_GET_ID = 8,
                          VIRTIO_BLK_DO_DISCARD = 11,
};
#define VIRTIO_BLK_ID_LENGTH 20u
enum virtio_blk_result { VIRTIO_BLK_OK = 0, VIRTIO_BLK_IOERR = 1, VIRTIO_BLK_UNSUPP = 2 };

struct virtio_blk_head { /* 5.2.6: what the device reads first */
    uint32_t type, reserved;
    uint64_t sector;
};
struct virtio_blk_piece { /* 5.2.6: struct virtio_blk_discard_write_zeroes */
    uint64_t sector;
    uint32_t sectors, flags;
};

struct virtq_desc { /* 2.7.5 */
    uint64_t hpa;
    uint32_t length;
    uint16_t flags, next;
};
enum virtq_desc_flags { VIRTQ_NEXT = 1, VIRTQ_DEVICE_WRITES = 2 };
struct virtq_avail { /* 2.7.6 */
    uint16_t flags, index;
    uint16_t ring[];
};
struct virtq_used_element { /* 2.7.8 */
    uint32_t id, length;
};
struct virtq_used {
    uint16_t flags, index;
    struct virtq_used_element ring[];
};
#define VIRTQ_NO_NOTIFY 1u /* virtq_used.flags */

_Static_assert(sizeof(struct virtq_desc) == 16, "2.7.5");
_Static_assert(sizeof(struct virtio_blk_piece) == 16, "5.2.6");

#endif
