// SPDX-License-Identifier: BSD-2-Clause
/* Hash trees of image versions: files of the image folder, as vdisk/verity/verity.h has them (docs/server.md, "Hash trees"). */
#ifndef LEATD_TREE_H
#define LEATD_TREE_H

#include "tools/leatd/config.h"

#include <stddef.h>

/* The mode of an export that is a hash tree. A literal: it stands in statements. */
#define TREE_MODE "hash-tree"
#define TREE_BLOCK 4096

/* Bytes of the tree of so many data blocks, 1 and more. */
int64_t tree_bytes(int64_t blocks);

/*
 * May a disk of that mode and size be verified by the tree of an image of so many blocks? Not one that is written, and not one
 * whose last block is cut.
 */
bool tree_is_for(const char *mode, int64_t size, int64_t blocks);

/*
 * Whether the file is a tree with that root hash (64 hexadecimal digits), for so many blocks: its size, its first block and the
 * one that the root hash is of. Reads 8 KiB. False: why has the end of a sentence behind "hash_source", in CONFIG_ERROR_BYTES.
 */
bool tree_check(const struct config *config, const char *source, const char *root, int64_t blocks,
                char *why);

#endif
