// SPDX-License-Identifier: BSD-2-Clause
/*
 * A difference: what one client has written over a shared image, in a file (diff_format.h).
 *
 * A write is in the file, and read by all, when its function has returned. It is durable when a flush that
 * began after that has returned 0. After a crash each 512 bytes hold what was flushed last, or anything
 * that was written there since. A flush that fails spoils the difference: every further write and flush
 * is -EIO until it is opened again, because nothing is known of the writes before.
 *
 * All functions but open and close may be called by several threads at once; all may block. Offsets and
 * counts are bytes, inside the image's size (the caller checks), of any alignment. They return 0 or -errno.
 */
#ifndef NBDKIT_LEAT_DIFFERENCE_H
#define NBDKIT_LEAT_DIFFERENCE_H

#include <stdbool.h>

#include "tools/nbdkit-leat/diff_device.h"
#include "tools/nbdkit-leat/diff_format.h"
#include "tools/nbdkit-leat/diff_map.h"

#define DIFF_ERROR 256u      /* bytes for one sentence that says what is wrong */
#define DIFF_DIRTY_PAGES 64u /* of the map; with more a write flushes by itself */

struct difference;

/* The image that shows through. */
struct diff_below {
    void *context;
    int (*read)(void *context, void *to, size_t count, uint64_t offset);
};

struct diff_options {
    bool writable;
    const char *image;   /* the image's name for itself; NULL: any */
    uint64_t image_size; /* 0: any */
    uint64_t limit; /* bytes of the file system; a write that would need more is -ENOSPC; 0: none */
};

/* Makes an empty one of a device that reads as zeros. */
int difference_create(const struct diff_device *device, const char *image, uint64_t image_size,
                      uint32_t block_size, uint64_t id, uint64_t created, char error[DIFF_ERROR]);
/* What does not fit, is damaged or of another version is -EINVAL with the reason in error. The device is the
   caller's, and outlives the difference. Writable: what a crash has cut is put in order first. */
int difference_open(struct difference **out, const struct diff_device *device,
                    const struct diff_below *below, const struct diff_options *options,
                    char error[DIFF_ERROR]);
/* Flushes, and says in the file that it was closed properly. Frees it in any case. */
int difference_close(struct difference *difference);

const struct diff_header *difference_header(const struct difference *difference);
/* Counts all blocks, and damage; reads the whole map. Of what is in the file: flush first. */
int difference_look(struct difference *difference, struct diff_map_look *look);

int difference_read(struct difference *difference, void *to, size_t count, uint64_t offset);
int difference_write(struct difference *difference, const void *from, size_t count,
                     uint64_t offset);
/* Whole blocks take no more room, and are ZERO; of what is less than a block zeros are written. */
int difference_zero(struct difference *difference, uint64_t count, uint64_t offset);
/* Whole blocks as difference_zero; what is less than a block is left alone. */
int difference_trim(struct difference *difference, uint64_t count, uint64_t offset);
int difference_flush(struct difference *difference);
/* The state at an offset, and to where (an offset, at most offset + count) it is the same. */
int difference_state(struct difference *difference, uint64_t count, uint64_t offset,
                     enum diff_state *state, uint64_t *end);

#endif
