// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/tree.h"

#include "tools/leatd/check.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/source.h"
#include "vdisk/verity/verity.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Static_assert(TREE_BLOCK == VERITY_BLOCK_BYTES, "one size of blocks");

int64_t tree_bytes(int64_t blocks)
{
    struct verity_tree places;
    verity_tree_init(&places, (uint64_t)blocks);
    return (int64_t)places.blocks * TREE_BLOCK;
}

bool tree_is_for(const char *mode, int64_t size, int64_t blocks)
{
    return strcmp(mode, "private") && size % TREE_BLOCK == 0 && size / TREE_BLOCK >= blocks;
}

static void sha256(const void *salt, size_t salt_size, const void *data, size_t size,
                   uint8_t out[VERITY_HASH_BYTES])
{
    uint8_t bytes[VERITY_MAX_SALT + VERITY_BLOCK_BYTES];
    char text[HASH_BYTES];
    memcpy(bytes, salt, salt_size);
    memcpy(bytes + salt_size, data, size);
    secret_hash_data(text, bytes, salt_size + size);
    secret_unhex(out, VERITY_HASH_BYTES, text);
}

/* What is wrong with the tree's first two blocks; the root hash of one data block is that block's own, which is not here. */
static const char *judge(const uint8_t head[2 * TREE_BLOCK], size_t size, const char *root,
                         int64_t blocks)
{
    struct verity_salt salt;
    uint8_t digest[VERITY_HASH_BYTES];
    const char *why = size < TREE_BLOCK ? "it is no dm-verity hash tree"
                                        : verity_superblock(head, (uint64_t)blocks, &salt);
    if (why || blocks == 1)
        return why;
    if (!secret_unhex(digest, sizeof digest, root) || size < (size_t)2 * TREE_BLOCK ||
        !verity_matches(digest, &salt, head + TREE_BLOCK, sha256))
        return "it is not the hash tree of root_hash";
    return NULL;
}

bool tree_check(const struct config *config, const char *source, const char *root, int64_t blocks,
                char *why)
{
    char path[2 * CONFIG_PATH_BYTES];
    uint8_t head[2 * TREE_BLOCK];
    int64_t size = tree_bytes(blocks);
    if (source_is_uri(source)) {
        snprintf(why, CONFIG_ERROR_BYTES, "has to be a path in the image folder");
        return false;
    }
    if (!source_check(config, source, "raw", &size, why))
        return false;
    source_path(config, source, path, sizeof path);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = file >= 0 ? pread(file, head, sizeof head, 0) : -1;
    if (file >= 0)
        close(file);
    const char *reason = got < 0 ? "it cannot be read" : judge(head, (size_t)got, root, blocks);
    if (reason)
        snprintf(why, CONFIG_ERROR_BYTES, "%.*s cannot be used: %s", check_cut(source, 100), source,
                 reason);
    return !reason;
}
