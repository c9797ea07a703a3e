// SPDX-License-Identifier: BSD-2-Clause
/*
 * The client's end of a block channel (include/leat/blk.h).
 *
 * A request of any length is cut into channel requests ("pieces") of at most LEAT_BLK_MAX_REQUEST.
 * One that finds no room in data area or ring waits, first come first served, and goes on as
 * completions free room. The server is trusted with the disk's content only: whatever it writes
 * elsewhere is checked. No allocation and no system call. With the VM's lock held.
 */
#ifndef VMM_VIRTIO_BLKCLIENT_H
#define VMM_VIRTIO_BLKCLIENT_H

#include <leat/blk.h>
#include "lib/ring.h"
#include "vmm/virtio/blkarea.h"
#include "vmm/virtio/virtqueue.h"

struct blk_client_request {
    /* filled by the caller; the request is the client's until done() */
    uint32_t op, flags; /* enum leat_blk_op, leat_blk_flag */
    uint64_t offset, length;
    const struct vq_segment *segments; /* READ, WRITE: at least `length` bytes from `skip` on */
    uint64_t skip;                     /* bytes of the segments before the data */
    void (*done)(struct blk_client_request *request, int status); /* enum leat_error */
    /* the client's */
    uint64_t sent;     /* bytes already in pieces */
    unsigned pieces;   /* not completed yet */
    int status;        /* the first error */
    bool is_waiting;   /* in the queue: not all is sent */
    bool is_abandoned; /* guest memory must not be touched any more */
    bool has_started;  /* FLUSH and other requests without data: the one piece is sent */
    unsigned segment;  /* where `sent` is in the segments, for WRITE */
    uint64_t segment_at;
    struct blk_client_request *next;
};

struct blk_client_piece {
    struct blk_client_request *request; /* NULL: free */
    uint64_t data;                      /* in the data area; BLK_AREA_NONE: none */
    uint32_t length;
    uint32_t next_free;
    unsigned segment; /* where its data belongs, for READ */
    uint64_t segment_at;
};

struct blk_client {
    struct leat_blk_channel *channel;
    struct leat_ring_end requests, completions;
    void (*signal)(void *ctx); /* wakes the server */
    void *ctx;
    struct blk_area area;
    struct blk_client_piece pieces[LEAT_BLK_RING_COUNT];
    uint32_t free_piece;
    unsigned pieces_out;
    struct blk_client_request *first, *last; /* waiting */
    bool is_broken;                          /* the server broke the protocol: all requests fail */
    bool needs_signal;                       /* something was put and not yet signalled */
};

/* A checked copy of what the server says about the disk. */
struct blk_client_info {
    enum leat_blk_state state;
    uint32_t features, block_size, optimal_size;
    uint64_t size_bytes;
    char why[160]; /* NUL-terminated, printable */
};

/* Reads it; may be called before blk_client_init. Sizes count only in states READY and STALLED,
   where LEAT_EPROTO says that they make no sense. */
int blk_client_get_info(const struct leat_blk_channel *channel, struct blk_client_info *info);

void blk_client_init(struct blk_client *client, struct leat_blk_channel *channel,
                     void (*signal)(void *ctx), void *ctx);

/* done() may be called before this returns (a failed disk). The server is woken at
 * blk_client_flush. */
void blk_client_submit(struct blk_client *client, struct blk_client_request *request);

/* Takes all completions, calls done() for finished requests, sends waiting ones. */
void blk_client_poll(struct blk_client *client);

/* Wakes the server if it waits for something that was put. */
void blk_client_flush(struct blk_client *client);

/* The guest was reset: no request touches guest memory any more; what is not sent will not be.
   done() is still called for each, when the server has finished with it (perhaps at once). */
void blk_client_abandon(struct blk_client *client);

/* Before the thread sleeps: false, there are completions already. */
bool blk_client_may_sleep(struct blk_client *client);

#endif
