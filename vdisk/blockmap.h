// SPDX-License-Identifier: BSD-2-Clause
/*
 * A set of the 4 KiB blocks of an image, of which most lie in large runs: a bitmap for each region of
 * 128 MiB that is neither empty nor full. Bounded memory: when there is no more for bitmaps, a region
 * of which only a part is to be in the set is left out whole. So what is not in the set is only not
 * known to be.
 */
#ifndef VDISK_BLOCKMAP_H
#define VDISK_BLOCKMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCKMAP_REGION_BLOCKS 32768u /* 128 MiB: one bitmap of 4 KiB */
#define BLOCKMAP_MOST_REGIONS 131072u /* 16 TiB; 1 MiB of pointers */

struct blockmap {
    uint64_t block_count; /* 0: not in use, nothing is in it */
    uint32_t region_count, bitmap_count, most_bitmaps;
    uint64_t **regions; /* bit set: in the set; NULL: none of the region */
};

/* Empty or with all blocks. False: the image is too large, or no memory. */
bool blockmap_init(struct blockmap *m, uint64_t blocks, uint32_t most_bitmaps, bool is_full);
void blockmap_free(struct blockmap *m);
/* Blocks [first, end) of the image are put in or taken out; taking out never fails. */
void blockmap_set(struct blockmap *m, uint64_t first, uint64_t end, bool is_in);
/* Of blocks [first, end), those that are not in `other`, a map of the same image, are taken out. */
void blockmap_keep(struct blockmap *m, const struct blockmap *other, uint64_t first, uint64_t end);
/* The region of the block is empty or full. */
bool blockmap_is_plain(const struct blockmap *m, uint64_t block);

static inline bool blockmap_has(const struct blockmap *m, uint64_t block)
{
    uint64_t region = block / BLOCKMAP_REGION_BLOCKS, bit = block % BLOCKMAP_REGION_BLOCKS;
    const uint64_t *map = region < m->region_count ? m->regions[region] : NULL;
    return map && (map[bit / 64] >> (bit % 64) & 1);
}

#endif
