// SPDX-License-Identifier: BSD-2-Clause
/* One NBD request on its way, and what has been received of its answer. */
#ifndef VDISK_NBD_COMMAND_H
#define VDISK_NBD_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk/list.h"

#define NBD_PAGE_BYTES 4096u
#define NBD_MAX_PIECES 32u /* separate pieces of one read that may be there at a time */

struct nbd_piece {
    uint32_t start, end;
};

struct nbd_command {      /* memory of the caller; untouched by it from nbd_session_send to done */
    uint16_t type, flags; /* enum nbd_command_type, NBD_CMD_FLAG_* */
    uint64_t offset;
    uint32_t length;
    const uint8_t *data;   /* of a write: stays as it is until done */
    uint8_t *const *pages; /* of a read: page i takes bytes [4096 i, 4096 i + 4096) of the range */
    /* Of a block status: each extent in its order, without gaps, cut at the end of the range;
       flags: NBD_STATE_*. The extents may end before the range does. */
    void (*extent)(struct nbd_command *command, uint64_t offset, uint32_t length, uint32_t flags);
    /* The same by qemu:allocation-depth, with the depth in place of the flags. Either may be NULL. */
    void (*depth)(struct nbd_command *command, uint64_t offset, uint32_t length, uint32_t depth);
    /* error: enum nbd_error as the server sent it, 0: success */
    void (*done)(struct nbd_command *command, uint32_t error);
    /* NULL, or what its owner does when the session was lost before the answer */
    void (*lost)(struct nbd_command *command);
    void *owner;
    /* -- the session's -- */
    struct list node;
    uint64_t cookie;
    uint64_t sent_ns;
    bool is_sent; /* its last byte has left */
    uint32_t error;
    uint32_t described;       /* of a block status: bytes of the range whose extents have come */
    uint32_t depth_described; /* the same of its depths */
    uint32_t piece_count;
    struct nbd_piece
        pieces[NBD_MAX_PIECES]; /* received so far: sorted, neither touching nor overlapping */
};

/* A question that was answered in part goes on at one of the server's units, which may have grown over a reconnect. True: it
   begins earlier than where the answer ended. */
bool nbd_command_align(struct nbd_command *c, uint32_t unit);
/* Notes that [start, start + size) of a read has arrived. False: it overlaps what was there, or the
   server tears its answer into more pieces than any honest one does. */
bool nbd_command_got(struct nbd_command *c, uint32_t start, uint32_t size);
/* True when every byte of a read has arrived. */
bool nbd_command_is_whole(const struct nbd_command *c);
/* The place of byte `position` of a read, and in *size how many bytes are contiguous there. */
uint8_t *nbd_command_place(const struct nbd_command *c, uint32_t position, uint32_t *size);

#endif
