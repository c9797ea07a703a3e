// SPDX-License-Identifier: BSD-2-Clause
/* Numbers of the virtio block device: virtio 1.2, 5.2. */
#ifndef VMM_VIRTIO_BLK_REGS_H
#define VMM_VIRTIO_BLK_REGS_H

#include <leat/types.h>

#define VIRTIO_ID_BLOCK 2u
#define VIRTIO_BLK_SECTOR 512u

enum virtio_blk_feature { /* 5.2.3; bit masks */
                          BLK_F_SIZE_MAX = 1u << 1,
                          BLK_F_SEG_MAX = 1u << 2,
                          BLK_F_RO = 1u << 5,
                          BLK_F_BLK_SIZE = 1u << 6,
                          BLK_F_FLUSH = 1u << 9,
                          BLK_F_TOPOLOGY = 1u << 10,
                          BLK_F_CONFIG_WCE = 1u << 11,
                          BLK_F_MQ = 1u << 12,
                          BLK_F_DISCARD = 1u << 13,
                          BLK_F_WRITE_ZEROES = 1u << 14,
};

enum virtio_blk_config_field { /* 5.2.4: struct virtio_blk_config */
                               BLK_CONFIG_CAPACITY = 0,
                               BLK_CONFIG_SIZE_MAX = 8,
                               BLK_CONFIG_SEG_MAX = 12,
                               BLK_CONFIG_BLK_SIZE = 20,
                               BLK_CONFIG_PHYSICAL_EXP = 24,
                               BLK_CONFIG_MIN_IO = 26,
                               BLK_CONFIG_OPT_IO = 28,
                               BLK_CONFIG_WRITEBACK = 32,
                               BLK_CONFIG_QUEUES = 34,
                               BLK_CONFIG_DISCARD_SECTORS = 36,
                               BLK_CONFIG_DISCARD_RANGES = 40,
                               BLK_CONFIG_DISCARD_ALIGNMENT = 44,
                               BLK_CONFIG_ZEROES_SECTORS = 48,
                               BLK_CONFIG_ZEROES_RANGES = 52,
                               BLK_CONFIG_ZEROES_MAY_UNMAP = 56,
};

enum virtio_blk_type { /* 5.2.6 */
                       BLK_T_IN = 0,
                       BLK_T_OUT = 1,
                       BLK_T_FLUSH = 4,
                       BLK_T_GET_ID = 8,
                       BLK_T_DISCARD = 11,
                       BLK_T_WRITE_ZEROES = 13,
};
#define BLK_RANGE_UNMAP 1u /* flag of a range */

enum virtio_blk_status { BLK_S_OK = 0, BLK_S_IOERR = 1, BLK_S_UNSUPP = 2 };

struct virtio_blk_header { /* 5.2.6: struct virtio_blk_req up to the data */
    uint32_t type, reserved;
    uint64_t sector;
};

#endif
