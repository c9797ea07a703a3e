// SPDX-License-Identifier: BSD-2-Clause
/*
 * What an export serves: an image, a difference over it, or both. Functions return 0 or -errno; any thread may call
 * them; offsets lie inside the grant's size.
 */
#ifndef NBDKIT_LEAT_DISK_H
#define NBDKIT_LEAT_DISK_H

#include <stdatomic.h>

#include "tools/nbdkit-leat/diff_file.h"
#include "tools/nbdkit-leat/image.h"

struct disk {
    struct image *image;           /* NULL: zeros */
    struct difference *difference; /* NULL: read-only, the image alone */
    struct diff_file file;
    uint64_t size;
    bool is_writable;
    bool shows_layers; /* what comes from the image is HOLE without ZERO (mode `server`) */
};

/* Opens what the grant names; a new difference whose file is not there is made, any other is -ENOENT. limit: of the
   difference's file, 0: none. The image's size must not be larger than the grant's. -errno with the reason in error. */
int disk_open(struct disk *disk, const struct grant *grant, uint64_t limit, char error[DIFF_ERROR]);
/* All that was written is durable then, or the result is not 0. */
int disk_close(struct disk *disk);

int disk_read(struct disk *disk, void *to, size_t count, uint64_t offset);
/* One extent from offset on, to *end; in NBD's words for base:allocation. */
int disk_extent(struct disk *disk, uint64_t count, uint64_t offset, bool *hole, bool *zero,
                uint64_t *end);

#endif
