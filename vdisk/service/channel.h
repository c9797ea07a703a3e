// SPDX-License-Identifier: BSD-2-Clause
/*
 * One block channel (include/leat/blk.h) joined to one disk of the engine. The client is not
 * trusted: each request is copied once, its piece of the data area is checked here, all else by the
 * engine. Portable but for the signal.
 */
#ifndef VDISK_SERVICE_CHANNEL_H
#define VDISK_SERVICE_CHANNEL_H

#include "lib/ring.h"
#include "vdisk/vdisk.h"

struct channel;

struct channel_request {
    struct vdisk_request request; /* first: its address is this one's */
    struct channel_request *next; /* free, or waiting for room in the completion ring */
    uint64_t id;
    int status;
};

struct channel {
    struct leat_blk_channel *shared;
    struct leat_ring_end requests, completions;
    struct vdisk_disk *disk;
    struct channel_request *free;
    struct channel_request *done, **done_end;
    bool is_touched, has_changed;
    void (*signal)(void *ctx);
    void *signal_ctx;
    struct channel_request slots[LEAT_BLK_RING_COUNT];
};

/* Attaches the disk. signal wakes the client. shared is mapped until channel_end. LEAT_ENOMEM. */
int channel_begin(struct channel *c, struct vdisk *engine, const struct vdisk_config *config,
                  struct leat_blk_channel *shared, void (*signal)(void *ctx), void *signal_ctx);
/* Detaches the disk; nothing touches the shared memory after it. */
void channel_end(struct channel *c);

/* What one client gets of a turn of the service's loop, before the others have theirs: so many requests,
   or the one that makes so many bytes full. The rest stays in the ring, where pieces of the data area may
   be named more than once: 256 requests of 1 MiB each are no honest client's. */
#define CHANNEL_TURN_REQUESTS 64u
#define CHANNEL_TURN_BYTES LEAT_BLK_MAX_REQUEST

/* Submits what has arrived, as far as its turn goes. */
void channel_serve(struct channel *c);
/* Publishes what has been completed and what has changed, signals. */
void channel_flush(struct channel *c);
/* Announces that this side sleeps. False: there is work. */
bool channel_may_sleep(struct channel *c);

#endif
