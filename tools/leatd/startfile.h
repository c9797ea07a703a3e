// SPDX-License-Identifier: BSD-2-Clause
/* Kernels and initrds: files of the image folder that a machine gets beside its disks. */
#ifndef LEATD_STARTFILE_H
#define LEATD_STARTFILE_H

#include "tools/leatd/config.h"
#include "tools/leatd/secret.h"

#define STARTFILE_MOST                                                                             \
    ((int64_t)512 << 20) /* bytes: LEAT_CLIENT_FILE_BYTES of include/leat/client.h */

/*
 * Size and SHA-256 of a file of the image folder; path by the rules of check_relative_path. Reads all of it, and so takes as long
 * as the disk does. False with the end of a sentence in why (CONFIG_ERROR_BYTES).
 */
bool startfile_take(const struct config *config, const char *path, int64_t *size,
                    char sha256[HASH_BYTES], char *why);

/* Opens it for reading; -1 when it is not there any more, or has another size now. */
int startfile_open(const struct config *config, const char *path, int64_t size);

#endif
