// SPDX-License-Identifier: BSD-2-Clause
/*
 * The sets of TLS keys that the supervisor gives (include/leat/keys.h), each made ready once. Portable.
 */
#ifndef VDISK_SERVICE_KEYS_H
#define VDISK_SERVICE_KEYS_H

#include "vdisk/net/secure_conn.h"
#include "vdisk/tls/random.h"

/* What is needed beside the keys. now_s and built_s: UTC seconds since 1970, 0: unknown. */
struct keys_world {
    const struct tls_random_source *source; /* must stay */
    int64_t now_s;
    int64_t built_s; /* when this program was made: a clock that says less is wrong */
};

/* Reads the records in block, whatever they are, and overwrites all of it with zeros. Sets that are
   there already stay as they are. */
void keys_take(void *block, uint64_t size, const struct keys_world *world);

/* For the configuration of a disk; NULL: that set cannot be used, *why says why not, for people. */
const struct vdisk_tls *keys_find(uint64_t set, const char **why);

#endif
