// SPDX-License-Identifier: BSD-2-Clause
/*
 * TLS keys, supervisor -> vdisk: in memory (role "keys" of the start block) that vdisk alone has mapped,
 * and wipes as soon as it has read it.
 *
 * Records one after the other, each at a multiple of 8, up to one of kind LEAT_KEY_END; a disk's argument
 * "tls=N" names the set of those with that number. Texts are as in struct tls_keys_text (vdisk/tls/tls.h).
 */
#ifndef LEAT_KEYS_H
#define LEAT_KEYS_H

#include <leat/types.h>

enum leat_key_kind {
    LEAT_KEY_END = 0,
    LEAT_KEY_PSK = 1,         /* "NAME:HEX" */
    LEAT_KEY_CA = 2,          /* PEM */
    LEAT_KEY_CERTIFICATE = 3, /* PEM */
    LEAT_KEY_PRIVATE = 4,     /* PEM */
    LEAT_KEY_SERVER_NAME = 5,
    LEAT_KEY_MISSING = 6, /* the set cannot be used: the text is the name of a file that is not there */
};

struct leat_key {
    uint32_t set; /* from 0 on */
    uint32_t kind;
    uint64_t size; /* of the text behind this, with its NUL */
};

#define LEAT_KEY_SETS 256u
#define LEAT_KEY_FILE_BYTES (256u << 10) /* of one text at most, with its NUL */

/* Bytes from one record to the next. */
static inline uint64_t leat_key_stride(uint64_t size)
{
    return sizeof(struct leat_key) + ((size + 7) & ~7ull);
}

#endif
