// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no superblock of a hash tree and no text of a root hash leads outside the tree or the salt, whatever
 * number of data blocks it claims. The input: the number's width, the text, then the superblock.
 */
#include <string.h>

#include "tests/fuzz/fuzz_input.h"
#include "vdisk/verity/verity.h"

static void must(bool is_true)
{
    if (!is_true)
        __builtin_trap();
}

static void check_tree(uint64_t blocks, uint64_t choice)
{
    struct verity_tree t;
    verity_tree_init(&t, blocks);
    must(t.levels <= VERITY_MAX_LEVELS && t.blocks >= 1);
    struct verity_place p = verity_place_of_data(&t, choice % blocks);
    for (uint32_t steps = 0; !p.is_root; steps++) {
        must(steps < t.levels && p.block > 0 && p.block < t.blocks);
        must(p.offset <= VERITY_BLOCK_BYTES - VERITY_HASH_BYTES);
        must(verity_level(&t, p.block) == steps);
        p = verity_place_of_hash(&t, p.block);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    static uint8_t block[VERITY_BLOCK_BYTES];
    char text[VERITY_ROOT_TEXT] = {0};
    struct verity_root root;
    struct verity_salt salt;
    uint64_t choice = fuzz_take(&in, 8);
    size_t length = fuzz_take(&in, 1) % sizeof text;
    length = length < in.size ? length : in.size;
    memcpy(text, in.data, length);
    in.data += length;
    in.size -= length;
    bool is_root = !verity_root_parse(text, &root);
    if (is_root) {
        must(root.blocks >= 1 && root.blocks <= root.all && root.all <= VERITY_MAX_BLOCKS);
        check_tree(root.blocks, choice);
    }
    check_tree(choice % VERITY_MAX_BLOCKS + 1, choice * 0x9e3779b97f4a7c15ull);
    memset(block, 0, sizeof block);
    memcpy(block, in.data, in.size < sizeof block ? in.size : sizeof block);
    if (!verity_superblock(block, is_root ? root.blocks : choice % 1000, &salt))
        must(salt.size <= VERITY_MAX_SALT);
    return 0;
}
