// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/startfile.h"

#include "tools/leatd/check.h"
#include "tools/leatd/source.h"

#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 65536

/* A regular file of 1 byte to STARTFILE_MOST, with its size; -1 if it is none. */
static int open_file(const struct config *config, const char *path, int64_t *size)
{
    char whole[2 * CONFIG_PATH_BYTES];
    struct stat about;
    if (!check_relative_path(path))
        return -1;
    source_path(config, path, whole, sizeof whole);
    int file = open(whole, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file >= 0 && !fstat(file, &about) && S_ISREG(about.st_mode) && about.st_size > 0 &&
        about.st_size <= STARTFILE_MOST) {
        *size = about.st_size;
        return file;
    }
    if (file >= 0)
        close(file);
    return -1;
}

static bool hash_file(int file, int64_t size, char sha256[HASH_BYTES])
{
    uint8_t piece[PIECE], digest[32];
    gnutls_hash_hd_t hash;
    int64_t done = 0;
    ssize_t got = 1;
    if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256) < 0)
        abort();
    while (done < size && (got = pread(file, piece, sizeof piece, done)) > 0) {
        gnutls_hash(hash, piece, (size_t)got);
        done += got;
    }
    gnutls_hash_deinit(hash, digest);
    secret_hex(sha256, digest, sizeof digest);
    return done == size;
}

bool startfile_take(const struct config *config, const char *path, int64_t *size,
                    char sha256[HASH_BYTES], char *why)
{
    int file = open_file(config, path, size);
    bool ok = file >= 0 && hash_file(file, *size, sha256);
    if (file >= 0)
        close(file);
    if (!ok)
        snprintf(why, CONFIG_ERROR_BYTES,
                 "%.*s is not a file of the image folder that leatd can read, of 1 byte to 512 MiB",
                 check_cut(path, 100), path);
    return ok;
}

int startfile_open(const struct config *config, const char *path, int64_t size)
{
    int64_t found;
    int file = open_file(config, path, &found);
    if (file >= 0 && found != size) {
        close(file);
        return -1;
    }
    return file;
}
