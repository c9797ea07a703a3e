// SPDX-License-Identifier: BSD-2-Clause
/*
 * One block channel (include/leat/blk.h) joined to Leat's partition on one device. Offsets on the
 * channel are counted from the partition's start. The client is not trusted: each request is copied
 * out of the ring once, then checked. Data passes through buffers that the device reaches, so that
 * it reaches nothing of the client's. Portable but for the signal.
 *
 * READ, WRITE and FLUSH; nothing else is offered. A request is cut into pieces of at most
 * SERVER_PIECE_BYTES, so many at a time as there are buffers; requests wait for buffers in the order
 * in which they came.
 */
#ifndef STORAGE_SERVER_H
#define STORAGE_SERVER_H

#include <leat/blk.h>

#include "lib/ring.h"
#include "services/storage/guard.h"

#define SERVER_PIECE_BYTES (64u << 10) /* what every driver takes: block_device_info.max_sectors */
#define SERVER_PIECES_MOST 32u

struct server_request {
    struct leat_blk_request asked; /* a private copy */
    uint64_t sent;                 /* bytes already in pieces */
    uint32_t pieces;               /* under way */
    int status;                    /* the first error */
    bool is_sent;                  /* all of it */
    struct server_request *next; /* free, waiting for buffers, or for room among the completions */
};

struct server_piece {
    struct block_command command; /* .owner: this piece */
    struct server *server;
    struct server_request *request;
    uint64_t area_offset; /* where its data belongs in the channel's data area */
    uint32_t bytes;
    struct server_piece *next;
};

struct server_queue {
    struct server_request *first, *last;
};

struct server {
    struct guard guard;
    uint32_t sector_bytes;
    uint64_t size_bytes;
    struct leat_blk_channel *shared;
    struct leat_ring_end requests, completions;
    void (*signal)(void *ctx);
    void *ctx;
    bool is_touched, has_failed, must_tell;
    unsigned under_way; /* pieces that are with the driver */
    struct server_piece *free_pieces;
    struct server_request *free_requests;
    struct server_queue waiting, done;
    struct server_piece pieces[SERVER_PIECES_MOST];
    struct server_request slots[LEAT_BLK_RING_COUNT];
};

struct server_buffers { /* memory that the device reaches, for data only */
    uint8_t *va;        /* aligned to 4096 */
    uint64_t hpa;
    uint64_t size; /* at least SERVER_PIECE_BYTES */
};

/* Announces the partition as READY. The device is there (info is what its driver says). shared:
   mapped as long as the server lives. signal wakes the client. */
void server_begin(struct server *s, const struct guard *guard, const struct block_device_info *info,
                  struct leat_blk_channel *shared, const struct server_buffers *buffers,
                  void (*signal)(void *ctx), void *ctx);

/* Takes requests and hands pieces to the driver. To be called after commands have ended, too. */
void server_serve(struct server *s);

/* Publishes what has ended, signals. */
void server_flush(struct server *s);

/* Commands are with the driver. */
bool server_is_busy(const struct server *s);

/* Announces that this side sleeps. False: there is work. */
bool server_may_sleep(struct server *s);

#endif
