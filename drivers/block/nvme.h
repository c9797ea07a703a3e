// SPDX-License-Identifier: BSD-2-Clause
/*
 * Driver for NVM Express controllers (NVM Express Base Specification 1.4, PCI class 01:08:02) behind block.h. Each active
 * namespace with sectors of 512 to 4096 bytes and no metadata is a unit. One pair of queues does all I/O: with a single
 * thread and one interrupt line more would only be more to look at.
 *
 * A command that is too late is aborted; if that does not end it, or when the controller reports a fatal error, the
 * controller is reset, and what may be repeated is. The reset goes on in tick(), which does not wait for it. Afterwards the
 * namespaces must be what they were; one that has changed is gone. When a controller with a volatile cache reports a
 * fatal error, written and not flushed data may be lost: the next FLUSH of that unit fails.
 *
 * Needs 4 KiB pages, and transfers of 64 KiB; controllers without are refused.
 */
#ifndef DRIVERS_BLOCK_NVME_H
#define DRIVERS_BLOCK_NVME_H

#include "drivers/block/block.h"

#define NVME_UNITS_MOST 16u
#define NVME_TRANSFER_BYTES (512u << 10) /* of one READ or WRITE, at most */
#define NVME_DISCARD_BYTES (1ull << 30)  /* of one DISCARD, at most */
#define NVME_ABORT_LIMIT_MS 5000u        /* from the Abort command to the reset */
#define NVME_RESETS_MOST 3u /* in a row without a command that succeeded; then it is gone */

#endif
