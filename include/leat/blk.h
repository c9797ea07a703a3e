// SPDX-License-Identifier: BSD-2-Clause
/*
 * The block channel: a vmm (client) asks vdisk (server) for blocks of one disk.
 *
 * Shared memory: struct leat_blk_info, a request ring, a completion ring, a data area that the client
 * manages. A request names a piece of the data area; vdisk reads or fills it and completes. Requests may complete in
 * any order; ones that overlap have no order unless the client waits. A flush covers every
 * write that was completed before the flush was submitted.
 */
#ifndef LEAT_BLK_H
#define LEAT_BLK_H

#include <leat/ring.h>

#define LEAT_BLK_RING_COUNT 256u
#define LEAT_BLK_DATA_BYTES (8ull << 20)
#define LEAT_BLK_MAX_REQUEST (1u << 20) /* bytes in one request that carries data */

enum leat_blk_state {
    LEAT_BLK_CONNECTING = 0, /* no answer from the server yet: size is unknown */
    LEAT_BLK_READY = 1,
    LEAT_BLK_STALLED = 2,    /* the server is away; requests wait */
    LEAT_BLK_FAILED = 3,     /* will not get better by itself: why says the reason */
};

enum leat_blk_feature {
    LEAT_BLK_READ_ONLY = 1u << 0,
    LEAT_BLK_CAN_FLUSH = 1u << 1,
    LEAT_BLK_CAN_DISCARD = 1u << 2,
    LEAT_BLK_CAN_ZERO = 1u << 3,
    LEAT_BLK_CAN_FUA = 1u << 4,
};

struct leat_blk_info { /* written by vdisk; the client re-reads it when signalled */
    uint32_t state;
    uint32_t features;
    uint64_t size_bytes;
    uint32_t block_size;    /* requests must be multiples of this: 512 or 4096 */
    uint32_t optimal_size;  /* preferred request size in bytes */
    char why[160];          /* of STALLED and FAILED, and while CONNECTING: one line for people */
};

enum leat_blk_op {
    LEAT_BLK_READ = 0,
    LEAT_BLK_WRITE = 1,
    LEAT_BLK_FLUSH = 2,
    LEAT_BLK_DISCARD = 3,
    LEAT_BLK_WRITE_ZEROES = 4,
};
enum leat_blk_flag {
    LEAT_BLK_FUA = 1u << 0,      /* write, write zeroes: durable before it completes */
    LEAT_BLK_NO_HOLE = 1u << 1,  /* write zeroes: do not deallocate */
};

struct leat_blk_request { /* 64 bytes */
    uint64_t id;         /* the client's; comes back */
    uint32_t op, flags;
    uint64_t offset;     /* of the disk, bytes */
    uint64_t length;     /* bytes; at most LEAT_BLK_MAX_REQUEST for READ and WRITE */
    uint64_t data;       /* offset in the data area, of READ and WRITE */
    uint64_t reserved[3];
};

struct leat_blk_completion { /* 16 bytes */
    uint64_t id;
    int32_t status; /* enum leat_error */
    uint32_t reserved;
};

struct leat_blk_channel {
    struct leat_blk_info info;
    _Alignas(4096) uint8_t requests[LEAT_PAGE_SIZE * 5];    /* struct leat_ring, 64-byte entries */
    _Alignas(4096) uint8_t completions[LEAT_PAGE_SIZE * 2]; /* struct leat_ring, 16-byte entries */
    _Alignas(4096) uint8_t data[LEAT_BLK_DATA_BYTES];
};

_Static_assert(LEAT_RING_BYTES(LEAT_BLK_RING_COUNT, sizeof(struct leat_blk_request)) <=
                   sizeof(((struct leat_blk_channel *)0)->requests), "request ring fits");
_Static_assert(LEAT_RING_BYTES(LEAT_BLK_RING_COUNT, sizeof(struct leat_blk_completion)) <=
                   sizeof(((struct leat_blk_channel *)0)->completions), "completion ring fits");

#endif
