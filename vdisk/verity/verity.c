// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/verity/verity.h"

#include <string.h>

#include "vdisk/bytes.h"

/* cryptsetup's superblock: offsets of its fields; numbers are little-endian. */
enum {
    SB_SIGNATURE = 0,    /* 8: "verity" and two NULs */
    SB_VERSION = 8,      /* 4: 1 */
    SB_HASH_TYPE = 12,   /* 4: 1 */
    SB_ALGORITHM = 32,   /* 32: a name, NULs behind it */
    SB_DATA_BLOCK = 64,  /* 4: bytes */
    SB_HASH_BLOCK = 68,  /* 4: bytes */
    SB_DATA_BLOCKS = 72, /* 8 */
    SB_SALT_SIZE = 80,   /* 2 */
    SB_SALT = 88,        /* 256 */
};
#define SB_ALGORITHM_BYTES 32u

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A number up to the end or a colon, which is passed. NULL: good. */
static const char *take_blocks(const char **text, uint64_t *blocks)
{
    const char *at = *text;
    for (*blocks = 0; *at && *at != ':'; at++) {
        if (*at < '0' || *at > '9')
            return "has something else than a number of data blocks behind its colon";
        *blocks = *blocks * 10 + (uint64_t)(*at - '0');
        if (*blocks > VERITY_MAX_BLOCKS)
            return "has too many data blocks";
    }
    *text = at + (*at == ':' && at[1]);
    return *blocks ? NULL : "has no data blocks";
}

const char *verity_root_parse(const char *text, struct verity_root *root)
{
    for (uint32_t i = 0; i < VERITY_HASH_BYTES; i++, text += 2) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return "must begin with a SHA-256 in 64 hexadecimal digits";
        root->hash[i] = (uint8_t)(high << 4 | low);
    }
    if (*text++ != ':' || !*text)
        return "must be HASH:BLOCKS as mkverity prints it; BLOCKS is the number of data blocks";
    const char *why = take_blocks(&text, &root->blocks);
    root->all = root->blocks;
    if (!why && *text)
        why = take_blocks(&text, &root->all);
    if (!why && *text)
        why = "has something else than a number of data blocks behind its colon";
    return !why && root->all < root->blocks ? "has fewer blocks of the disk than data blocks" : why;
}

void verity_tree_init(struct verity_tree *t, uint64_t data_blocks)
{
    memset(t, 0, sizeof *t);
    t->data_blocks = data_blocks;
    for (uint64_t below = data_blocks; below > 1; t->levels++) {
        below = (below + VERITY_FANOUT - 1) / VERITY_FANOUT;
        t->count[t->levels] = below;
    }
    t->blocks = 1; /* the superblock */
    for (uint32_t level = t->levels; level-- > 0;) {
        t->start[level] = t->blocks;
        t->blocks += t->count[level];
    }
}

const char *verity_superblock(const uint8_t *block, uint64_t data_blocks, struct verity_salt *salt)
{
    static const uint8_t signature[8] = "verity\0";
    static const char algorithm[SB_ALGORITHM_BYTES] = "sha256";
    if (memcmp(block + SB_SIGNATURE, signature, sizeof signature))
        return "it is no dm-verity hash tree";
    if (bytes_get(block + SB_VERSION, 4) != 1 || bytes_get(block + SB_HASH_TYPE, 4) != 1)
        return "the hash tree is not of dm-verity's version 1 with hash type 1";
    if (memcmp(block + SB_ALGORITHM, algorithm, sizeof algorithm))
        return "the hash tree is not made with SHA-256";
    if (bytes_get(block + SB_DATA_BLOCK, 4) != VERITY_BLOCK_BYTES ||
        bytes_get(block + SB_HASH_BLOCK, 4) != VERITY_BLOCK_BYTES)
        return "the hash tree has not blocks of 4096 bytes";
    if (bytes_get(block + SB_DATA_BLOCKS, 8) != data_blocks)
        return "the hash tree is for another number of data blocks";
    salt->size = (uint32_t)bytes_get(block + SB_SALT_SIZE, 2);
    if (salt->size > VERITY_MAX_SALT)
        return "the hash tree's salt is too long";
    memcpy(salt->bytes, block + SB_SALT, salt->size);
    return NULL;
}

uint32_t verity_level(const struct verity_tree *t, uint64_t block)
{
    for (uint32_t level = 0; level < t->levels; level++)
        if (block >= t->start[level])
            return level;
    return t->levels;
}

/* In level `level`, digest number `index`. */
static struct verity_place place(const struct verity_tree *t, uint32_t level, uint64_t index)
{
    if (level >= t->levels)
        return (struct verity_place){.is_root = true};
    return (struct verity_place){
        .block = t->start[level] + index / VERITY_FANOUT,
        .offset = (uint32_t)(index % VERITY_FANOUT) * VERITY_HASH_BYTES,
    };
}

struct verity_place verity_place_of_data(const struct verity_tree *t, uint64_t block)
{
    return place(t, 0, block);
}

struct verity_place verity_place_of_hash(const struct verity_tree *t, uint64_t block)
{
    uint32_t level = verity_level(t, block);
    return place(t, level + 1, block - t->start[level]);
}

bool verity_matches(const uint8_t *digest, const struct verity_salt *salt, const void *data,
                    verity_sha256 *sha256)
{
    uint8_t actual[VERITY_HASH_BYTES];
    sha256(salt->bytes, salt->size, data, VERITY_BLOCK_BYTES, actual);
    return !memcmp(actual, digest, sizeof actual);
}
