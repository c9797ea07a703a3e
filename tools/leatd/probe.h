// SPDX-License-Identifier: BSD-2-Clause
/* The files of a new or changed image version, looked at and hashed by a thread (work.h). */
#ifndef LEATD_PROBE_H
#define LEATD_PROBE_H

#include "tools/leatd/config.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/work.h"

/* A kernel or an initrd. */
struct probe_file {
    bool is_given, good;
    char path[256];
    int64_t size;
    char sha256[HASH_BYTES], why[CONFIG_ERROR_BYTES];
};

/* The file of a hash tree (tree.h); looked at only if it is for as many blocks as the image has. */
struct probe_tree {
    bool is_given, good;
    char source[1024], root[HASH_BYTES];
    int64_t blocks;
    char why[CONFIG_ERROR_BYTES];
};

struct probe {
    struct work work;
    const struct config *config;
    bool has_source, good;
    char source[1024], format[8];
    int64_t size; /* given, or 0; then as source_check finds it */
    char why[CONFIG_ERROR_BYTES];
    struct probe_tree tree;
    bool was_brought
        [4]; /* source, hash_source, kernel, initrd: brought.h, before they are looked at */
    struct probe_file files[2]; /* kernel, initrd */
};

/* Does it: `run` of the work. Reads all of the files. */
void probe_run(struct work *work);

#endif
