// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/source.h"

#include "tools/leatd/check.h"
#include "tools/leatd/upload.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// QEMU's docs/interop/qcow2.txt, "Header": magic, and the virtual size at byte 24, big-endian.
#define QCOW2_MAGIC "QFI\xfb"
#define QCOW2_SIZE_AT 24

bool source_is_uri(const char *source)
{
    return check_uri(source);
}

void source_path(const struct config *config, const char *source, char *path, size_t bytes)
{
    snprintf(path, bytes, "%s/%s", config->images, source);
}

static bool is_unfinished(const char *source)
{
    size_t size = strlen(source), end = strlen(UPLOAD_SUFFIX);
    return size >= end && !strcmp(source + size - end, UPLOAD_SUFFIX);
}

static int64_t qcow2_size(int file)
{
    uint8_t header[32];
    if (pread(file, header, sizeof header, 0) != sizeof header || memcmp(header, QCOW2_MAGIC, 4))
        return -1;
    uint64_t size = 0;
    for (unsigned i = 0; i < 8; i++)
        size = size << 8 | header[QCOW2_SIZE_AT + i];
    return size >> 53 ? -1 : (int64_t)size;
}

/* The size of the disk in the file, -1 with a reason if it is no such file. */
static int64_t file_size(const char *path, const char *format, const char **reason)
{
    struct stat about;
    int64_t size = -1;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *reason = "is not a file of the image folder that leatd can read";
    if (file >= 0 && !fstat(file, &about) && S_ISREG(about.st_mode)) {
        size = strcmp(format, "qcow2") ? about.st_size : qcow2_size(file);
        *reason = "is no qcow2 file";
    }
    if (file >= 0)
        close(file);
    return size;
}

bool source_check(const struct config *config, const char *source, const char *format,
                  int64_t *size, char *why)
{
    char path[2 * CONFIG_PATH_BYTES];
    const char *reason = NULL;
    bool is_uri = source_is_uri(source);
    if (!is_uri && !check_relative_path(source)) {
        reason = "has to be a path in the image folder, or a URI";
    } else if (is_unfinished(source)) {
        reason = "is not whole yet";
    } else if (is_uri) {
        reason = *size ? NULL : "is a URI, so its size has to be given";
        if (check_has_password(source)) { // not repeated either
            snprintf(why, CONFIG_ERROR_BYTES,
                     "the source has a password: keys belong into files of nbdkit's server");
            return false;
        }
        if (!check_socket(source))
            reason = "has to name its socket by an absolute path: ?socket=/PATH";
    } else {
        source_path(config, source, path, sizeof path);
        int64_t found = file_size(path, format, &reason);
        if (found >= 0)
            reason = *size && *size != found ? "has another size" : NULL;
        *size = found;
    }
    if (!reason && (*size <= 0 || *size % 512))
        reason = "has a size that is no multiple of 512";
    if (reason)
        snprintf(why, CONFIG_ERROR_BYTES, "%.*s %s", check_cut(source, 100), source, reason);
    return !reason;
}
