// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that the hash tree's format is dm-verity's: every digest of trees made by Debian's veritysetup, with
 * 0 to 4 levels, is found where it stands; and that no changed byte, salt or superblock passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vdisk/tls/sha256.h"
#include "vdisk/verity/verity.h"

#define BLOCK VERITY_BLOCK_BYTES

static char folder[] = "verity.XXXXXX"; /* in the one that the test is run in */

/* Of blocks of zeros too, as images have them. */
static uint8_t *make_image(uint64_t blocks)
{
    uint8_t *image = calloc(blocks, BLOCK);
    assert_non_null(image);
    for (uint64_t i = 0; i < blocks; i++)
        for (unsigned j = 0; i % 3 && j < BLOCK; j += 8)
            memcpy(image + i * BLOCK + j, &(uint64_t){i * 0x9e3779b97f4a7c15ull + j}, 8);
    return image;
}

static void path_of(char *path, size_t size, const char *name)
{
    snprintf(path, size, "%s/%s", folder, name);
}

/* The tree as veritysetup makes it, and the root hash that it prints. */
static uint8_t *make_tree(const uint8_t *image, struct verity_root *root, uint64_t tree_blocks)
{
    char image_path[64], tree_path[64], command[400], line[200], text[VERITY_ROOT_TEXT] = "";
    path_of(image_path, sizeof image_path, "image");
    path_of(tree_path, sizeof tree_path, "tree");
    FILE *f = fopen(image_path, "w");
    assert_true(f && fwrite(image, BLOCK, root->blocks, f) == root->blocks);
    fclose(f);
    unlink(tree_path);
    snprintf(command, sizeof command, "PATH=$PATH:/usr/sbin veritysetup format %s %s", image_path,
             tree_path);
    f = popen(command, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Root hash: %64s", text) == 1)
            break;
    while (fgets(line, sizeof line, f))
        ;
    assert_int_equal(pclose(f), 0);
    snprintf(text + 64, sizeof text - 64, ":%llu", (unsigned long long)root->blocks);
    assert_null(verity_root_parse(text, root));
    uint8_t *tree = calloc(tree_blocks, BLOCK);
    f = fopen(tree_path, "r");
    assert_true(tree && f && fread(tree, BLOCK, tree_blocks, f) == tree_blocks);
    assert_int_equal(fgetc(f), EOF); /* it is as long as reckoned */
    fclose(f);
    return tree;
}

static const uint8_t *digest_at(const struct verity_root *root, const uint8_t *tree,
                                struct verity_place place)
{
    return place.is_root ? root->hash : tree + place.block * BLOCK + place.offset;
}

static void try_size(uint64_t blocks, uint32_t levels)
{
    struct verity_root root = {.blocks = blocks};
    struct verity_tree t;
    struct verity_salt salt;
    verity_tree_init(&t, blocks);
    assert_int_equal(t.levels, levels);
    uint8_t *image = make_image(blocks), *tree = make_tree(image, &root, t.blocks);
    assert_int_equal(root.blocks, blocks);
    assert_null(verity_superblock(tree, blocks, &salt));
    assert_int_equal(salt.size, 32);
    for (uint64_t i = 0; i < blocks; i++) {
        const uint8_t *digest = digest_at(&root, tree, verity_place_of_data(&t, i));
        assert_true(verity_matches(digest, &salt, image + i * BLOCK, tls_sha256));
        image[i * BLOCK + i % BLOCK] ^= 1;
        assert_false(verity_matches(digest, &salt, image + i * BLOCK, tls_sha256));
    }
    for (uint64_t i = 1; i < t.blocks; i++)
        assert_true(verity_matches(digest_at(&root, tree, verity_place_of_hash(&t, i)), &salt,
                                   tree + i * BLOCK, tls_sha256));
    salt.bytes[31] ^= 1; /* a lie about the salt does not get past the root */
    assert_false(verity_matches(root.hash, &salt, levels ? tree + BLOCK : image, tls_sha256));
    free(image);
    free(tree);
}

static void test_real_trees(void **state)
{
    (void)state;
    try_size(1, 0);
    try_size(2, 1);
    try_size(128, 1);
    try_size(129, 2);
    try_size(300, 2);
    try_size(16384, 2);
    try_size(16385, 3);
}

static void hash(const struct verity_salt *salt, const uint8_t *block, uint8_t *out)
{
    tls_sha256(salt->bytes, salt->size, block, BLOCK, out);
}

/* 8 GiB and a block, all zeros: the tree can be reckoned without the image. What veritysetup 2.6.1 made of it,
 * with this salt, is kept here. */
static void test_four_levels(void **state)
{
    (void)state;
    struct verity_root root;
    struct verity_tree t;
    struct verity_salt salt = {.size = 32};
    uint8_t block[BLOCK] = {0}, full[VERITY_HASH_BYTES], last[VERITY_HASH_BYTES];
    assert_null(verity_root_parse(
        "b7468187b87f1349ae4513b9efbb96bf33d36e5bb3d9cf1cbb22b330b56978d6:2097153", &root));
    verity_tree_init(&t, root.blocks);
    assert_int_equal(t.levels, 4);
    assert_int_equal(t.blocks, 67657728 / BLOCK);
    for (unsigned i = 0; i < 32; i++)
        salt.bytes[i] = (uint8_t)i;
    hash(&salt, block, full);
    memcpy(last, full, sizeof last);
    for (uint64_t level = 0, below = root.blocks; level < t.levels; level++) {
        uint64_t rest =
            below - (t.count[level] - 1) * VERITY_FANOUT; /* digests in the last block */
        uint8_t next_full[VERITY_HASH_BYTES];
        for (unsigned i = 0; i < VERITY_FANOUT; i++)
            memcpy(block + i * VERITY_HASH_BYTES, full, sizeof full);
        hash(&salt, block, next_full);
        memset(block + rest * VERITY_HASH_BYTES, 0, BLOCK - rest * VERITY_HASH_BYTES);
        memcpy(block + (rest - 1) * VERITY_HASH_BYTES, last, sizeof last);
        hash(&salt, block, last);
        memcpy(full, next_full, sizeof full);
        below = t.count[level];
    }
    assert_memory_equal(last, root.hash, sizeof last);
    /* From the last data block up to the root. */
    struct verity_place p = verity_place_of_data(&t, root.blocks - 1);
    assert_int_equal(p.block, t.blocks - 1);
    assert_int_equal(p.offset, 0);
    for (uint32_t level = 0; level < t.levels; level++) {
        assert_false(p.is_root);
        assert_int_equal(verity_level(&t, p.block), level);
        assert_int_equal(p.block, t.start[level] + t.count[level] - 1);
        p = verity_place_of_hash(&t, p.block);
    }
    assert_true(p.is_root);
}

static void test_largest(void **state)
{
    (void)state;
    struct verity_tree t;
    verity_tree_init(&t, VERITY_MAX_BLOCKS);
    assert_int_equal(t.levels, VERITY_MAX_LEVELS);
    assert_int_equal(t.start[7], 1);
    assert_int_equal(t.count[0], VERITY_MAX_BLOCKS / 128);
    assert_int_equal(verity_level(&t, 0), VERITY_MAX_LEVELS);
    assert_true(verity_place_of_data(&t, VERITY_MAX_BLOCKS - 1).block < t.blocks);
}

static void test_hostile_superblocks(void **state)
{
    (void)state;
    struct verity_root root = {.blocks = 2};
    struct verity_salt salt;
    uint8_t *image = make_image(2), *tree = make_tree(image, &root, 2), old;
    /* Signature, version, type, algorithm, block sizes, blocks: no bit of them may change. */
    for (unsigned i = 0; i < 80; i++) {
        if (i >= 16 && i < 32) /* the UUID tells nothing */
            continue;
        old = tree[i];
        tree[i] ^= (uint8_t)(1u << i % 8);
        assert_non_null(verity_superblock(tree, 2, &salt));
        tree[i] = old;
    }
    assert_non_null(verity_superblock(tree, 3, &salt));
    for (unsigned size = 0; size <= 0xffff; size += 51) {
        tree[80] = (uint8_t)size;
        tree[81] = (uint8_t)(size >> 8);
        bool is_good = !verity_superblock(tree, 2, &salt);
        assert_int_equal(is_good, size <= VERITY_MAX_SALT);
        assert_true(!is_good || salt.size == size);
    }
    free(image);
    free(tree);
}

static void test_root_text(void **state)
{
    (void)state;
    struct verity_root root;
    char text[100];
    static const char *const bad[] = {":",
                                      "",
                                      ":0",
                                      ":-1",
                                      ":1x",
                                      ":2251799813685249",
                                      "1:1",
                                      ":99999999999999999999999",
                                      ":8:7",
                                      ":8:",
                                      ":8::9",
                                      ":8:9:",
                                      ":8:9:10",
                                      ":8:x",
                                      ":8:2251799813685249"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "%064d%s", 0, bad[i]);
        assert_non_null(verity_root_parse(text, &root));
    }
    assert_non_null(verity_root_parse("", &root));
    assert_non_null(verity_root_parse("12g", &root));
    snprintf(text, sizeof text, "aB%062d:2251799813685248", 1);
    assert_null(verity_root_parse(text, &root));
    assert_int_equal(root.hash[0], 0xab);
    assert_int_equal(root.hash[31], 1);
    assert_int_equal(root.blocks, VERITY_MAX_BLOCKS);
    assert_int_equal(root.all, VERITY_MAX_BLOCKS);
    snprintf(text, sizeof text, "%064d:8:2251799813685248", 0);
    assert_null(verity_root_parse(text, &root));
    assert_int_equal(root.blocks, 8);
    assert_int_equal(root.all, VERITY_MAX_BLOCKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_trees), cmocka_unit_test(test_four_levels),
        cmocka_unit_test(test_largest),    cmocka_unit_test(test_hostile_superblocks),
        cmocka_unit_test(test_root_text),
    };
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return failed + (system(command) != 0);
}
