// SPDX-License-Identifier: BSD-2-Clause
/*
 * The store's device over a block channel (include/leat/blk.h) to the storage service: what submit of
 * struct store_platform does. The other side is trusted with the disk's content, and with nothing
 * else: what it writes elsewhere is checked, and when it breaks the protocol, or is gone, every
 * command fails from then on. Portable but for the signal.
 *
 * The service may die and be started again: between store_disk_pause and store_disk_resume commands wait.
 * Then those that had not been done are sent again, in any order (a device has none), by when nothing
 * of the old ones reaches the disk any more. A flush too: it covers what the old one did. What the old
 * one would have said is lost with it, so a disk that failed just that flush is believed when it
 * does the second.
 */
#ifndef VDISK_SERVICE_STORE_DISK_H
#define VDISK_SERVICE_STORE_DISK_H

#include <leat/blk.h>

#include "lib/ring.h"
#include "vdisk/store/device.h"

#define STORE_DISK_IO_BYTES (64u << 10) /* of one command at most: device.h */
#define STORE_DISK_IOS (LEAT_BLK_DATA_BYTES / STORE_DISK_IO_BYTES)

struct store_disk {
    struct leat_blk_channel *shared; /* NULL: paused */
    struct leat_ring_end requests, completions;
    void (*signal)(void *ctx); /* wakes the storage service */
    void *ctx;
    struct list waiting, failed;           /* struct store_io */
    struct store_io *sent[STORE_DISK_IOS]; /* each has the piece of the data area of its number */
    uint32_t free[STORE_DISK_IOS], free_count;
    uint64_t bytes; /* of the disk, once it was READY; 0: not yet */
    uint32_t sector_bytes;
    bool is_ready; /* the channel's disk was looked at, and is the one that is known */
    bool is_touched, is_gone;
};

enum store_disk_state { STORE_DISK_WAITS, STORE_DISK_READY, STORE_DISK_FAILED };

/* shared: mapped until nothing is called any more. */
void store_disk_begin(struct store_disk *d, struct leat_blk_channel *shared,
                      void (*signal)(void *ctx), void *ctx);

/* The disk's size in bytes and its sectors, when it is READY; they are checked and make sense. */
enum store_disk_state store_disk_look(struct store_disk *d, uint64_t *bytes,
                                      uint32_t *sector_bytes);

/* store_platform.submit; d: its ctx. */
void store_disk_submit(struct store_disk *d, struct store_io *io);

/* Takes completions, calls done(), sends what waits. */
void store_disk_run(struct store_disk *d);

/* Wakes the other side if anything since the last call asks for it. */
void store_disk_flush(struct store_disk *d);

/* Announces that this side sleeps. False: there is work. */
bool store_disk_may_sleep(struct store_disk *d);

/* The storage service is gone, and another one comes. The shared memory is not touched any more. */
void store_disk_pause(struct store_disk *d);

/* Its channel, zeroed, mapped like the first; signal and its ctx stay. Commands go on as soon as the disk
   is READY; they fail if it is not of the size and sectors that it had. */
void store_disk_resume(struct store_disk *d, struct leat_blk_channel *shared);

/* The storage service is gone for good: commands fail, at the next store_disk_run. Nor is the shared
   memory touched any more. */
void store_disk_lose(struct store_disk *d);

#endif
