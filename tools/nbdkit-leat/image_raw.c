// SPDX-License-Identifier: BSD-2-Clause
/* A raw file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/nbdkit-leat/image.h"

struct raw {
    struct image image;
    int fd;
};

static int raw_read(struct image *image, void *to, size_t count, uint64_t offset)
{
    const struct raw *raw = (struct raw *)image;
    for (char *at = to; count;) {
        ssize_t n = pread(raw->fd, at, count, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* shorter than at the start: never made up */
            return n ? -errno : -EIO;
        at += n;
        offset += (uint64_t)n;
        count -= (size_t)n;
    }
    return 0;
}

/* What SEEK_HOLE says; lseek moves the position, which nobody uses. */
static int raw_extent(struct image *image, uint64_t count, uint64_t offset, bool *hole, bool *zero,
                      uint64_t *end)
{
    const struct raw *raw = (struct raw *)image;
    off_t data = lseek(raw->fd, (off_t)offset, SEEK_DATA);
    off_t next = data;
    if (data < 0 && errno != ENXIO) /* a file system that does not know: all is data */
        data = (off_t)offset;
    *hole = *zero = data < 0 || (uint64_t)data > offset;
    if (!*hole)
        next = lseek(raw->fd, (off_t)offset, SEEK_HOLE);
    *end = offset + count;
    if (next > (off_t)offset && (uint64_t)next < *end)
        *end = (uint64_t)next;
    return 0;
}

static void raw_close(struct image *image)
{
    struct raw *raw = (struct raw *)image;
    close(raw->fd);
    free(raw);
}

static const struct image_ops raw_ops = {raw_read, raw_extent, raw_close};

struct image *image_raw_open(const char *path, char error[IMAGE_ERROR])
{
    struct raw *raw = calloc(1, sizeof *raw);
    off_t end = -1;
    if (!raw) {
        snprintf(error, IMAGE_ERROR, "there is no memory for the image");
        return NULL;
    }
    raw->image.ops = &raw_ops;
    raw->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (raw->fd >= 0)
        end = lseek(raw->fd, 0, SEEK_END); /* of a block device too */
    if (end < 0) {
        snprintf(error, IMAGE_ERROR, "%.160s: the image cannot be read: %s", path, strerror(errno));
        if (raw->fd >= 0)
            close(raw->fd);
        free(raw);
        return NULL;
    }
    raw->image.size = (uint64_t)end;
    return (struct image *)raw;
}
