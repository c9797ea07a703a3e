// SPDX-License-Identifier: BSD-2-Clause
/*
 * Driver for virtio block devices (virtio 1.2, 5.2) over PCI behind block.h: devices of version 1, also transitional ones
 * by their modern structures. One device is one unit; one split virtqueue; INTx or polling.
 *
 * A slot is a fixed chain of descriptors (head, data, status), so all that a completion can name is a slot. The used
 * ring is the device's word against ours: an index, a chain or a length that cannot be is answered by a reset, as
 * DEVICE_NEEDS_RESET and a command that does not end are. After a reset the device must be what it was, else it is gone.
 * virtio has no FUA: such a write is a write and a flush, if there is a cache.
 */
#ifndef DRIVERS_BLOCK_VIRTIO_BLK_H
#define DRIVERS_BLOCK_VIRTIO_BLK_H

#include "drivers/block/block.h"

#define VIRTIO_BLK_TRANSFER_BYTES (512u << 10) /* of one READ or WRITE, at most */
#define VIRTIO_BLK_DISCARD_BYTES (1u << 30)    /* of one DISCARD, at most */
#define VIRTIO_BLK_RESETS_MOST 3u /* in a row without a command that succeeded; then it is gone */

#endif
