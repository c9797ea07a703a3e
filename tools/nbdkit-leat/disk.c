// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES 4096u

static int below_read(void *context, void *to, size_t count, uint64_t offset)
{
    return image_read(context, to, count, offset);
}

/* The image's name for itself, in a difference's header: its file name, so that folders can be moved. */
static void name_of(const char *image, char name[DIFF_IMAGE_NAME])
{
    const char *slash = strrchr(image, '/');
    snprintf(name, DIFF_IMAGE_NAME, "%.*s", (int)DIFF_IMAGE_NAME - 1, slash ? slash + 1 : image);
    for (char *c = name; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
}

/* Never made anew: what was flushed would read as the image's. */
static int lost(const char *path, char error[DIFF_ERROR])
{
    const char *slash = strrchr(path, '/');
    snprintf(
        error, DIFF_ERROR,
        "the difference's file %.60s has been written and is not there now: mount its folder or "
        "put it back, or drop what was written (leatctl difference reset)",
        slash ? slash + 1 : path);
    return -ENOENT;
}

static int open_difference(struct disk *disk, const struct grant *grant, uint64_t limit,
                           char error[DIFF_ERROR])
{
    char name[DIFF_IMAGE_NAME];
    int number = 0;
    bool is_there = !access(grant->difference, F_OK) || errno != ENOENT;
    name_of(grant->image, name);
    if (is_there || !disk->is_writable)
        number = diff_file_open(&disk->file, grant->difference, disk->is_writable, error);
    else if (grant->is_new)
        number = diff_file_create(&disk->file, grant->difference, false, name, grant->size,
                                  BLOCK_BYTES, error);
    else
        number = lost(grant->difference, error);
    if (number)
        return number;
    struct diff_device device = diff_file_device(&disk->file);
    struct diff_below below = {.context = disk->image, .read = below_read};
    struct diff_options options = {
        .writable = disk->is_writable, .image = name, .image_size = grant->size, .limit = limit};
    number = difference_open(&disk->difference, &device, &below, &options, error);
    if (number)
        diff_file_close(&disk->file);
    return number;
}

int disk_open(struct disk *disk, const struct grant *grant, uint64_t limit, char error[DIFF_ERROR])
{
    int number = 0;
    disk->image = NULL;
    disk->difference = NULL;
    disk->file = (struct diff_file){.fd = -1};
    disk->size = grant->size;
    disk->is_writable = !grant->read_only;
    disk->shows_layers = grant->mode == GRANT_SERVER;
    if (grant->image[0]) {
        disk->image = image_open(grant->image, grant->is_uri, grant->format, error);
        if (!disk->image)
            return -EIO;
        if (disk->image->size > grant->size) {
            snprintf(error, DIFF_ERROR,
                     "the image has %" PRIu64 " bytes, and leatd knows of %" PRIu64,
                     disk->image->size, grant->size);
            number = -EINVAL;
        }
    }
    if (!number && grant->difference[0])
        number = open_difference(disk, grant, limit, error);
    if (number && disk->image)
        image_release(disk->image);
    return number;
}

int disk_close(struct disk *disk)
{
    int error = disk->difference ? difference_close(disk->difference) : 0;
    disk->difference = NULL;
    diff_file_close(&disk->file);
    if (disk->image)
        image_release(disk->image);
    disk->image = NULL;
    return error;
}

int disk_read(struct disk *disk, void *to, size_t count, uint64_t offset)
{
    return disk->difference ? difference_read(disk->difference, to, count, offset)
                            : image_read(disk->image, to, count, offset);
}

int disk_extent(struct disk *disk, uint64_t count, uint64_t offset, bool *hole, bool *zero,
                uint64_t *end)
{
    enum diff_state state = DIFF_ABSENT;
    int error = 0;
    *end = offset + count;
    if (disk->difference)
        error = difference_state(disk->difference, count, offset, &state, end);
    if (error)
        return error;
    *hole = false;
    *zero = state == DIFF_ZERO;
    if (state != DIFF_ABSENT)
        return 0;
    error = image_extent(disk->image, *end - offset, offset, hole, zero, end);
    if (disk->shows_layers)
        *hole = true;
    return error;
}
