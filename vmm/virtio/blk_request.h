// SPDX-License-Identifier: BSD-2-Clause
/* One request of the block device, between blk.c (queues, slots) and blk_request.c (what it means).
 */
#ifndef VMM_VIRTIO_BLK_REQUEST_H
#define VMM_VIRTIO_BLK_REQUEST_H

#include "vmm/virtio/blk.h"
#include "vmm/virtio/blk_regs.h"

/* Works on a chain that was just taken: ends in virtio_blk_finish, now or later. False: the chain
   has no room for header or status, nothing was begun. */
bool virtio_blk_start(struct virtio_blk_slot *slot);

/* blk.c: status and used element (unless the request is of before a reset); the slot is free again.
 */
void virtio_blk_finish(struct virtio_blk_slot *slot, enum virtio_blk_status status);

#endif
