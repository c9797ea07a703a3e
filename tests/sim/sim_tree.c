// SPDX-License-Identifier: BSD-2-Clause
/*
 * The hash tree of the server's image, and lies: what a server sends that is not what it should be. The hash
 * is no SHA-256, only fast; nobody here looks for collisions.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

#define BLOCK VERITY_BLOCK_BYTES
#define BLOCK_SECTORS (BLOCK / SIM_SECTOR)
#define SUPERBLOCK_BYTES 120u /* of it something is said in these */

static uint8_t *tree;
static uint64_t tree_size;

static void mix(uint64_t lanes[4], const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, 8);
        lanes[i / 8 % 4] = (lanes[i / 8 % 4] ^ word) * 0x9e3779b97f4a7c15ull;
        lanes[i / 8 % 4] ^= lanes[i / 8 % 4] >> 29;
    }
}

void sim_sha256(const void *salt, size_t salt_size, const void *data, size_t size, uint8_t out[32])
{
    uint64_t lanes[4] = {salt_size, 2, 3, 4};
    uint8_t padded[VERITY_MAX_SALT + 8] = {0};
    memcpy(padded, salt, salt_size);
    mix(lanes, padded, (salt_size + 7) / 8 * 8);
    mix(lanes, data, size);
    for (unsigned i = 0; i < 8; i++)
        lanes[(i + 1) % 4] = (lanes[(i + 1) % 4] ^ lanes[i % 4]) * 0xd1342543de82ef95ull;
    memcpy(out, lanes, 32);
}

static void make_superblock(uint64_t blocks, const struct verity_salt *salt)
{
    static const uint32_t head[] = {1, 1}, sizes[] = {BLOCK, BLOCK};
    memcpy(tree, "verity\0", 8);
    memcpy(tree + 8, head, 8);
    memcpy(tree + 32, "sha256", 6);
    memcpy(tree + 64, sizes, 8);
    memcpy(tree + 72, &blocks, 8);
    tree[80] = (uint8_t)salt->size;
    memcpy(tree + 88, salt->bytes, salt->size);
}

/* Puts a digest where it belongs. */
static void put(struct verity_root *root, struct verity_place place, const struct verity_salt *salt,
                const uint8_t *block)
{
    sim_sha256(salt->bytes, salt->size, block, BLOCK,
               place.is_root ? root->hash : tree + place.block * BLOCK + place.offset);
}

void sim_tree_init(uint64_t sectors, struct verity_root *root)
{
    struct verity_tree places;
    struct verity_salt salt = {.size = (uint32_t)(sim_random() % 33)};
    uint8_t block[BLOCK];
    root->blocks = sectors / BLOCK_SECTORS;
    verity_tree_init(&places, root->blocks);
    tree_size = places.blocks * BLOCK;
    tree = calloc(places.blocks, BLOCK);
    for (uint32_t i = 0; i < salt.size; i++)
        salt.bytes[i] = (uint8_t)sim_random();
    make_superblock(root->blocks, &salt);
    for (uint64_t b = 0; b < root->blocks; b++) {
        for (uint64_t s = 0; s < BLOCK_SECTORS; s++)
            sim_sector_fill(block + s * SIM_SECTOR, b * BLOCK_SECTORS + s,
                            sim_initial_tag(b * BLOCK_SECTORS + s));
        put(root, verity_place_of_data(&places, b), &salt, block);
    }
    for (uint64_t b = places.blocks; b-- > 1;) /* those below stand behind those above */
        put(root, verity_place_of_hash(&places, b), &salt, tree + b * BLOCK);
}

void sim_tree_end(void)
{
    free(tree);
    tree = NULL;
    tree_size = 0;
}

uint64_t sim_tree_bytes(void)
{
    return tree_size;
}

void sim_tree_read(uint64_t offset, uint32_t length, uint8_t *to)
{
    uint64_t rest = offset < tree_size ? tree_size - offset : 0; /* zeros fill the last unit */
    memcpy(to, tree + offset, length < rest ? length : rest);
}

void sim_lie(bool is_tree, uint64_t offset, uint8_t *data, uint32_t length)
{
    for (uint32_t at = 0; at < length; at += BLOCK) {
        uint32_t size = length - at < BLOCK ? length - at : BLOCK;
        if (!sim_chance(is_tree ? sim_profile.lie_tree : sim_profile.lie_data))
            continue;
        if (is_tree && offset + at == 0)
            size = SUPERBLOCK_BYTES;
        if (sim_random() % 4) /* a bit, or another block's content */
            data[at + sim_random() % size] ^= (uint8_t)(1u << sim_random() % 8);
        else if (length - at >= 2 * BLOCK)
            memcpy(data + at, data + at + BLOCK, BLOCK);
        else
            memset(data + at, 0, size);
    }
}
