// SPDX-License-Identifier: BSD-2-Clause
/*
 * A disk's "key=value" lines into the engine's configuration. Portable.
 */
#ifndef VDISK_SERVICE_CONFIG_H
#define VDISK_SERVICE_CONFIG_H

#include "vdisk/vdisk.h"

/* Finds the value of a key; NULL: it is not set. */
struct disk_args {
    const char *(*get)(void *ctx, const char *key, char *buf, size_t size);
    void *ctx;
    /* keys_find of keys.h; not called for a disk without keys. */
    const struct vdisk_tls *(*find_keys)(uint64_t set, const char **why);
};

/* Keys: host, port (10809), export, mode (private, ram, local), read_only (0, 1, yes, no), overlay
   (bytes), fallback (HOST[:PORT] ..., separated by commas and spaces: other servers of the image),
   give_up (seconds that a request waits for a server that is away), content (content.h), root_hash
   ("HASH:BLOCKS", verity/verity.h), hash_export, limits ("IOPS BANDWIDTH" of the disk), tenant ("NAME
   IOPS BANDWIDTH LINK_WEIGHT" of all its disks; not set: what is before the '/' of the disk's name,
   without limits), profile (its boots are recorded; yes if not set), tls (the number of a set of
   keys, which find_keys knows). NULL: good; else what is wrong, for people, in `why`. */
const char *disk_config(const struct disk_args *args, const char *name, struct vdisk_config *config,
                        char *why, size_t size);
/* A decimal number; false: it is none, or too large. */
bool parse_number(const char *text, uint64_t most, uint64_t *value);

#endif
