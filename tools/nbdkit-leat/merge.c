// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)
#define PATH_BYTES 4096u

static int copy_piece(struct disk *disk, struct diff_device *to, char *piece, size_t count,
                      uint64_t offset)
{
    int error = disk_read(disk, piece, count, offset);
    bool is_zero = !error && !piece[0] && !memcmp(piece, piece + 1, count - 1);
    return error || is_zero ? error : to->write(to->context, piece, count, offset);
}

/* What is known to be zeros is not read, what turns out to be zeros is not written. */
static int copy_all(struct disk *disk, struct diff_device *to)
{
    char *piece = malloc(PIECE_BYTES);
    int error = piece ? 0 : -ENOMEM;
    for (uint64_t at = 0, end; at < disk->size && !error; at = end) {
        bool hole, zero;
        uint64_t most = disk->size - at < PIECE_BYTES ? disk->size - at : PIECE_BYTES;
        error = disk_extent(disk, most, at, &hole, &zero, &end);
        if (!error && !zero)
            error = copy_piece(disk, to, piece, (size_t)(end - at), at);
    }
    free(piece);
    return error;
}

int merge_to(struct disk *disk, const char *path, char error[DIFF_ERROR])
{
    char made[PATH_BYTES];
    struct diff_file file;
    if (snprintf(made, sizeof made, "%s.new", path) >= (int)sizeof made) {
        snprintf(error, DIFF_ERROR, "the path is too long");
        return -ENAMETOOLONG;
    }
    file.fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    int number = file.fd < 0 ? -errno : 0;
    struct diff_device device = diff_file_device(&file);
    if (!number)
        number = copy_all(disk, &device);
    if (!number && (ftruncate(file.fd, (off_t)disk->size) || fsync(file.fd) || link(made, path)))
        number = -errno;
    if (file.fd >= 0)
        unlink(made);
    diff_file_close(&file);
    if (number)
        snprintf(error, DIFF_ERROR, "%.160s cannot be made: %s", path, strerror(-number));
    return number;
}
