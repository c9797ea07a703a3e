// SPDX-License-Identifier: BSD-2-Clause
/*
 * Of a client's own export in mode `server`: which blocks its server takes from the shared image below
 * the client's layer, as far as the server has said by NBD_CMD_BLOCK_STATUS. Those are read from the
 * shared export (composed.c); what is not known to be below is read from the client's, which has the
 * full view.
 *
 * By qemu:allocation-depth, whatever is not of depth 1, the client's own layer, is below. Where the disk
 * says so (below_is_hole), by base:allocation: what is a hole and not known to read as zeros.
 *
 * The image is asked about in spans of 1 GiB: those that a read waits for first, then the others in
 * their order. Nobody but this engine writes to the export, so an answer can be too old only where the
 * engine itself has written. Those blocks are taken out of the map before the write is submitted, and
 * never come back.
 */
#ifndef VDISK_LAYERS_H
#define VDISK_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk/blockmap.h"
#include "vdisk/list.h"
#include "vdisk/nbd/command.h"

#define LAYERS_SPAN_REGIONS 8u /* of one question */
#define LAYERS_QUERIES 8u      /* questions on their way at a time */

struct vdisk_export;
struct vdisk_request;

struct layers_query {
    struct nbd_command command;
    struct vdisk_export *export;
    uint32_t span;
    uint32_t rounds; /* answers that stopped short of the end */
    bool is_used, is_sent;
    uint64_t from, bytes; /* the run below that the last extents belong to */
};

struct layers {
    bool is_wanted;        /* the export is a client's own */
    bool by_holes;         /* else by depth */
    uint32_t span_count;   /* 0: the map is not in use, nothing is known to be below */
    uint32_t next_span;    /* spans before it have been asked about */
    bool has_news;         /* a span has been told */
    struct blockmap below; /* blocks that are */
    struct blockmap free;  /* blocks that this engine has not written */
    uint8_t *spans;        /* enum span_state of layers.c */
    struct list waiting;   /* reads whose spans are being asked about */
    struct layers_query queries[LAYERS_QUERIES];
};

enum layers_place { LAYERS_ABOVE, LAYERS_BELOW, LAYERS_ASKED };

/* Starts the map of an export whose size is known and to which nothing has been written. Too large an
   image (16 TiB) or no memory: nothing is known to be below. */
void layers_init(struct vdisk_export *e);
void layers_free(struct vdisk_export *e);

/* Where [offset, offset + length) is to be read: below if all of its blocks are known to be. LAYERS_ASKED:
   it will be known when the server has answered. */
enum layers_place layers_where(struct vdisk_export *e, uint64_t offset, uint64_t length);
/* Where the block of byte `offset` is to be read, and all that follows it up to *end, at most `last`. */
enum layers_place layers_run(const struct vdisk_export *e, uint64_t offset, uint64_t last,
                             uint64_t *end);
/* [offset, offset + length) is going to be changed by this engine. */
void layers_written(struct vdisk_export *e, uint64_t offset, uint64_t length);
/* The end of the run of blocks [first, end) that are not known to be below; `first` if it is itself. */
uint64_t layers_run_end(const struct vdisk_export *e, uint64_t first, uint64_t end);

/* Sends questions, lets waiting reads go on; true: something. */
bool layers_pump(struct vdisk_export *e);
void layers_fail_all(struct vdisk_export *e); /* waiting reads end with I/O errors */

#endif
