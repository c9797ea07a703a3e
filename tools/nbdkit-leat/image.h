// SPDX-License-Identifier: BSD-2-Clause
/*
 * The image below: read, never written. One object for all who have the same open; any thread may read.
 * Behind its end it reads as zeros.
 */
#ifndef NBDKIT_LEAT_IMAGE_H
#define NBDKIT_LEAT_IMAGE_H

#include "tools/nbdkit-leat/grant.h"

#define IMAGE_ERROR 256u

struct image;

/* What a back-end does. The offset and count lie inside its size. 0 or -errno. */
struct image_ops {
    int (*read)(struct image *image, void *to, size_t count, uint64_t offset);
    /* From offset on to *end (at most offset + count, more than offset) it is the same: hole (no room), zero. */
    int (*extent)(struct image *image, uint64_t count, uint64_t offset, bool *hole, bool *zero,
                  uint64_t *end);
    void (*close)(struct image *image); /* frees it */
};

struct image { /* a back-end's first member */
    const struct image_ops *ops;
    uint64_t size;
    /* image.c's own */
    char name[GRANT_PATH];
    enum grant_format format;
    unsigned users;
    struct image *next;
};

/* name: an absolute path, or a URI; one that is open already is shared. NULL: error has one sentence, for all who wanted it at
   the same time, unless the caller alone has waited in vain. Waits as image_read does. */
struct image *image_open(const char *name, bool is_uri, enum grant_format format,
                         char error[IMAGE_ERROR]);
void image_release(struct image *image);

/* 0 or -errno. Waits for the image's server as image_wait.h says; -ESHUTDOWN: that has been in vain. */
int image_read(struct image *image, void *to, size_t count, uint64_t offset);
int image_extent(struct image *image, uint64_t count, uint64_t offset, bool *hole, bool *zero,
                 uint64_t *end);

/* The back-ends. */
struct image *image_raw_open(const char *path, char error[IMAGE_ERROR]);
/* By NBD: a qcow2 file by a qemu-nbd of its own, http(s):// by an nbdkit of its own, nbd:// as it is. Made again when it
   is lost, or a read has waited too long. is_vain: set when it was given up as image_wait.h says, and has not failed. */
struct image *image_nbd_open(const char *name, bool is_uri, enum grant_format format,
                             char error[IMAGE_ERROR], bool *is_vain);

#endif
