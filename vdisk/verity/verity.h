// SPDX-License-Identifier: BSD-2-Clause
/*
 * A hash tree over an image, in dm-verity's format: hash type 1, SHA-256, data and hash blocks of
 * 4096 bytes, as `veritysetup format IMAGE TREE` makes it by default (Linux
 * Documentation/admin-guide/device-mapper/verity.rst; the superblock as cryptsetup describes it).
 *
 * The tree's blocks: 0 the superblock, then the levels, the one with a single block first, level 0
 * last. A block of level 0 holds the digests of 128 data blocks, in their order, one of level n + 1
 * those of 128 blocks of level n; the root hash is that of the single block, or, where the image is
 * one data block, of that. A digest is SHA-256(salt, block).
 *
 * Everything in the tree is hostile, the superblock too. Trusted are the root hash and with it the
 * number of data blocks, which no hash covers: with another number a hash block could pass for data.
 * The salt need not be trusted: a wrong one fits the root hash only if SHA-256 is broken. Portable, no
 * heap, does not block.
 */
#ifndef VDISK_VERITY_VERITY_H
#define VDISK_VERITY_VERITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VERITY_BLOCK_BYTES 4096u
#define VERITY_HASH_BYTES 32u
#define VERITY_FANOUT 128u /* digests in a hash block */
#define VERITY_MAX_SALT 256u
#define VERITY_MAX_LEVELS 8u
#define VERITY_MAX_BLOCKS (1ull << 51) /* of the data: 2^63 bytes; 8 levels are for 2^56 */
#define VERITY_ROOT_TEXT 104u          /* "HASH:BLOCKS:ALL" with its NUL */

struct verity_root { /* what is trusted */
    uint8_t hash[VERITY_HASH_BYTES];
    uint64_t blocks; /* data blocks, 1 .. VERITY_MAX_BLOCKS */
    uint64_t all;    /* of the disk: those behind the data blocks are zeros. Less than
                        `blocks`: as many */
};

struct verity_salt {
    uint32_t size;
    uint8_t bytes[VERITY_MAX_SALT];
};

struct verity_tree { /* where the blocks lie */
    uint64_t data_blocks;
    uint32_t levels;                   /* 0: the root hash is that of the only data block */
    uint64_t start[VERITY_MAX_LEVELS]; /* of a level in the tree, in blocks */
    uint64_t count[VERITY_MAX_LEVELS];
    uint64_t blocks; /* of the tree in all */
};

/* The place of a digest. */
struct verity_place {
    bool is_root;   /* it is the root hash; the rest is meaningless */
    uint64_t block; /* of the tree */
    uint32_t offset;
};

/* SHA-256 of the salt and the data behind each other. */
typedef void verity_sha256(const void *salt, size_t salt_size, const void *data, size_t size,
                           uint8_t out[VERITY_HASH_BYTES]);

/* "HASH:BLOCKS" or "HASH:BLOCKS:ALL": 64 hexadecimal digits, the number of data blocks, and that of the disk's, if it
   is larger than its image. NULL: *root is set; else why not, for people. */
const char *verity_root_parse(const char *text, struct verity_root *root);

/* data_blocks: 1 .. VERITY_MAX_BLOCKS. */
void verity_tree_init(struct verity_tree *t, uint64_t data_blocks);

/* Block 0 of a tree for an image of so many blocks. NULL: *salt is set; else why not, for people. */
const char *verity_superblock(const uint8_t *block, uint64_t data_blocks, struct verity_salt *salt);

/* Level of a tree block: t->levels for the superblock. block: below t->blocks. */
uint32_t verity_level(const struct verity_tree *t, uint64_t block);
/* Where the digest of data block `block` stands. */
struct verity_place verity_place_of_data(const struct verity_tree *t, uint64_t block);
/* Where that of tree block `block` stands, which must not be the superblock. */
struct verity_place verity_place_of_hash(const struct verity_tree *t, uint64_t block);

/* Is that the digest of the 4096 bytes at `data`? */
bool verity_matches(const uint8_t *digest, const struct verity_salt *salt, const void *data,
                    verity_sha256 *sha256);

#endif
