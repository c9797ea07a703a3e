// SPDX-License-Identifier: BSD-2-Clause
/*
 * Is it still the same image? Asked at each reconnect, before anything is read for a guest: two
 * images under one name must never be mixed. The size is compared by link.c; here a few samples of
 * the content: the first block, the one at 1 MiB (where the first partition begins) and others
 * spread over the image, taken behind the first connect. This finds mistakes, not malice.
 *
 * An image that this engine writes to changes: of such one only the size is compared. Of a client's
 * export in mode server the samples are taken at each connect for composed.c, which compares them with the
 * shared image's.
 */
#ifndef VDISK_IDENTITY_H
#define VDISK_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk/content.h"
#include "vdisk/nbd/command.h"

#define IDENTITY_SAMPLES 8u
#define IDENTITY_PAGES 16u /* of one sample: the largest minimum block size, 64 KiB */

struct vdisk_export;

struct identity_sample {
    struct nbd_command command;
    uint8_t *pages[IDENTITY_PAGES];
    uint64_t sum; /* of the first time */
    bool is_known, is_wanted, is_sent;
    bool is_noted; /* the sum is of an earlier start, and has not been compared yet */
};

struct identity {
    uint32_t wanted; /* samples that are still to be taken or compared on this connection */
    bool has_changed;
    bool is_not_as_noted; /* it has changed since an earlier start, under the same content id */
    uint8_t *memory;      /* of the samples, while some are wanted */
    struct identity_sample samples[IDENTITY_SAMPLES];
};

/* The connection is there: takes the samples, or compares them if they were taken before. Without
   memory nothing is compared. */
void identity_begin(struct vdisk_export *e);
/* Sends what is wanted; true: something. */
bool identity_pump(struct vdisk_export *e);
/* The link is lost or has failed. */
void identity_end(struct vdisk_export *e);
/*
 * Of an image with a content id the sums are kept over a restart (local_notes.h): in IDENTITY_NOTE_BYTES
 * bytes. What the store holds is read meanwhile, since a server may be silent; what the server has is
 * not, until its sums have shown that it is the same image.
 */
#define IDENTITY_NOTE_BYTES (8u + 8u * IDENTITY_SAMPLES)
void identity_put(const struct vdisk_export *e, uint8_t *data);
void identity_adopt(struct vdisk_export *e, const uint8_t *data);
/* Nothing is wanted any more, and a sum is known that this server has confirmed. */
bool identity_is_taken(const struct vdisk_export *e);

/* The sum of a sample, and where it lies, if it is known. */
bool identity_sample(const struct vdisk_export *e, uint32_t i, uint64_t *offset, uint64_t *sum);

/* False: what was taken before has not been compared yet. */
bool identity_is_judged(const struct vdisk_export *e);
/* Sums of an earlier start are there to be compared: what the local store holds may be read meanwhile,
 * and nothing of the server's. */
bool identity_is_noted(const struct vdisk_export *e);

/*
 * A name of the image made of its size and its samples, for who has no better one (a content id): two
 * images that differ only elsewhere have the same. False: not all samples have been taken.
 */
bool identity_content(const struct vdisk_export *e, uint8_t content[CONTENT_BYTES]);
/* Samples that could not be taken, or have been forgotten, are asked for again. */
void identity_again(struct vdisk_export *e);
/* The content is going to be changed by this engine. */
void identity_forget(struct vdisk_export *e);

#endif
