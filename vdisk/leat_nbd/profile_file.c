// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/leat_nbd/profile_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_BYTES (4u << 20) /* more than the largest profile */

static void complain(const char *path, const char *why)
{
    fprintf(stderr, "leat-nbd: boot profile %s: %s\n", path, why);
}

void profile_file_load(struct vdisk_disk *disk, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        if (errno != ENOENT)
            complain(path, strerror(errno));
        return;
    }
    uint8_t *data = malloc(MOST_BYTES);
    if (data) {
        const char *why = vdisk_profile_put(disk, data, fread(data, 1, MOST_BYTES, f));
        if (why) {
            char text[128];
            snprintf(text, sizeof text, "%s; this boot makes a new one", why);
            complain(path, text);
        }
    }
    free(data);
    fclose(f);
}

static bool write_all(int fd, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return fsync(fd) == 0;
}

void profile_file_save(struct vdisk_disk *disk, const char *path)
{
    char other[4096];
    void *data = NULL;
    size_t size = vdisk_profile_take(disk, &data);
    if (!size)
        return;
    snprintf(other, sizeof other, "%s.new", path);
    int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool is_good = fd >= 0 && write_all(fd, data, size);
    if (fd >= 0)
        is_good = close(fd) == 0 && is_good;
    if (!is_good || rename(other, path)) {
        complain(path, strerror(errno));
        unlink(other);
    }
    free(data);
}
