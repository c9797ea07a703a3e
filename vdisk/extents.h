// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which blocks of an export read as zeros, as far as the server has said by NBD_CMD_BLOCK_STATUS:
 * such blocks are never fetched. The image is asked about in spans of 1 GiB: those that a read has
 * touched first, then the others in their order. What is not known counts as data.
 *
 * The answer is believed only for content that nobody but this engine changes, as the cache is. A
 * span that the engine itself has written to is never asked about (again), and the written blocks
 * are data from the submission on, so an answer that is older than a write cannot hide it.
 */
#ifndef VDISK_EXTENTS_H
#define VDISK_EXTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk/blockmap.h"
#include "vdisk/nbd/command.h"

#define EXTENTS_SPAN_REGIONS 8u /* of one question */
#define EXTENTS_QUERIES 4u      /* questions on their way at a time */

struct vdisk_export;

struct extents_query {
    struct nbd_command command;
    struct vdisk_export *export;
    uint32_t span;
    uint32_t rounds; /* answers that stopped short of the end */
    bool is_used, is_sent;
    bool is_stale;             /* the span was written to meanwhile */
    uint64_t zero_from, zeros; /* the run of zeros that the last extents belong to: bytes */
};

struct extents {
    struct blockmap zeros;
    uint32_t span_count; /* 0: the map is not in use */
    uint32_t next_span;  /* spans before it have been asked about */
    bool has_news;       /* holes have been found since local_notes.c looked */
    uint8_t *spans;      /* enum span_state */
    struct extents_query queries[EXTENTS_QUERIES];
};

/* Starts the map of an export whose size is known. An image that is too large for a map (16 TiB),
   or no memory: all of it counts as data. */
void extents_init(struct vdisk_export *e);
void extents_free(struct vdisk_export *e);

static inline bool extents_is_zero(const struct extents *x, uint64_t block)
{
    return blockmap_has(&x->zeros, block);
}

void extents_mark_zero(struct extents *x, uint64_t first, uint64_t end);
/* The server has told all that it is asked. */
bool extents_are_settled(const struct vdisk_export *e);

/* -- extents_file.c -- */
/* The map as bytes, at most `most` (at least 64): their number. Later holes are left out if need be. */
size_t extents_encode(const struct vdisk_export *e, uint8_t *data, size_t most);
/* Adds what the bytes say to the map of the same content. False: they are no map of this image; a part
   may have been taken. */
bool extents_decode(struct vdisk_export *e, const uint8_t *data, size_t size);

/* A read is about to fetch this block: its span is asked about next. */
void extents_touch(struct vdisk_export *e, uint64_t block);
/* [offset, offset + length) is going to be changed by this engine. */
void extents_written(struct vdisk_export *e, uint64_t offset, uint64_t length);
/* Sends questions; true: something. */
bool extents_pump(struct vdisk_export *e);

#endif
