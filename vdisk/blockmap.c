// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/blockmap.h"

#include <stdlib.h>
#include <string.h>

#define BITMAP_WORDS (BLOCKMAP_REGION_BLOCKS / 64)

static uint64_t full[BITMAP_WORDS]; /* the bitmap of every region that is full */

bool blockmap_init(struct blockmap *m, uint64_t blocks, uint32_t most_bitmaps, bool is_full)
{
    uint64_t regions = (blocks + BLOCKMAP_REGION_BLOCKS - 1) / BLOCKMAP_REGION_BLOCKS;
    memset(m, 0, sizeof *m);
    if (regions > BLOCKMAP_MOST_REGIONS)
        return false;
    m->regions = calloc(regions, sizeof m->regions[0]);
    if (!m->regions)
        return false;
    memset(full, 0xff, sizeof full);
    m->block_count = blocks;
    m->region_count = (uint32_t)regions;
    m->most_bitmaps = most_bitmaps;
    for (uint32_t i = 0; is_full && i < m->region_count; i++)
        m->regions[i] = full;
    return true;
}

void blockmap_free(struct blockmap *m)
{
    for (uint32_t i = 0; i < m->region_count; i++)
        if (m->regions[i] != full)
            free(m->regions[i]);
    free(m->regions);
    memset(m, 0, sizeof *m);
}

/* A region's own bitmap. NULL: no more memory for bitmaps. */
static uint64_t *own_bitmap(struct blockmap *m, uint32_t region)
{
    uint64_t *old = m->regions[region];
    if (old && old != full)
        return old;
    uint64_t *map = m->bitmap_count < m->most_bitmaps ? malloc(sizeof full) : NULL;
    if (!map)
        return NULL;
    memset(map, old ? 0xff : 0, sizeof full);
    m->bitmap_count++;
    m->regions[region] = map;
    return map;
}

static uint32_t blocks_in(const struct blockmap *m, uint32_t region)
{
    uint64_t left = m->block_count - (uint64_t)region * BLOCKMAP_REGION_BLOCKS;
    return left < BLOCKMAP_REGION_BLOCKS ? (uint32_t)left : BLOCKMAP_REGION_BLOCKS;
}

static void set_bits(uint64_t *map, uint32_t from, uint32_t to, bool is_in)
{
    for (uint32_t bit = from; bit < to;) {
        uint32_t end = (bit | 63) + 1 < to ? (bit | 63) + 1 : to;
        uint64_t mask = UINT64_MAX >> (63 - (end - 1) % 64) & UINT64_MAX << bit % 64;
        map[bit / 64] = is_in ? map[bit / 64] | mask : map[bit / 64] & ~mask;
        bit = end;
    }
}

static void set_region(struct blockmap *m, uint32_t region, uint32_t from, uint32_t to, bool is_in)
{
    uint64_t *map = m->regions[region];
    bool is_whole = from == 0 && to == blocks_in(m, region);
    if (is_whole || (!is_in && !map)) {
        if (map && map != full) {
            free(map);
            m->bitmap_count--;
        }
        m->regions[region] = is_in ? full : NULL;
        return;
    }
    map = own_bitmap(m, region);
    if (map)
        set_bits(map, from, to, is_in);
    else if (!is_in)
        m->regions[region] = NULL; /* without memory, nothing of it is known */
}

void blockmap_set(struct blockmap *m, uint64_t first, uint64_t end, bool is_in)
{
    while (first < end) {
        uint32_t region = (uint32_t)(first / BLOCKMAP_REGION_BLOCKS);
        uint64_t start = (uint64_t)region * BLOCKMAP_REGION_BLOCKS;
        uint64_t stop = end < start + BLOCKMAP_REGION_BLOCKS ? end : start + BLOCKMAP_REGION_BLOCKS;
        set_region(m, region, (uint32_t)(first - start), (uint32_t)(stop - start), is_in);
        first = stop;
    }
}

void blockmap_keep(struct blockmap *m, const struct blockmap *other, uint64_t first, uint64_t end)
{
    while (first < end) {
        bool has = blockmap_has(other, first);
        uint64_t stop = first;
        do
            stop = blockmap_is_plain(other, stop)
                       ? (stop / BLOCKMAP_REGION_BLOCKS + 1) * BLOCKMAP_REGION_BLOCKS
                       : stop + 1;
        while (stop < end && blockmap_has(other, stop) == has);
        stop = stop < end ? stop : end;
        if (!has)
            blockmap_set(m, first, stop, false);
        first = stop;
    }
}

bool blockmap_is_plain(const struct blockmap *m, uint64_t block)
{
    const uint64_t *map = m->regions[block / BLOCKMAP_REGION_BLOCKS];
    return !map || map == full;
}
