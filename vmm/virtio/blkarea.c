// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/blkarea.h"

#include <string.h>
#include "lib/assert.h"

static void set_free(struct blk_area *area, unsigned order, unsigned piece)
{
    area->free[order][piece / 64] |= 1ull << (piece % 64);
    area->summary[order] |= 1u << (piece / 64);
}

static void set_taken(struct blk_area *area, unsigned order, unsigned piece)
{
    uint64_t *word = &area->free[order][piece / 64];
    *word &= ~(1ull << (piece % 64));
    if (!*word)
        area->summary[order] &= ~(1u << (piece / 64));
}

static bool is_free(const struct blk_area *area, unsigned order, unsigned piece)
{
    return area->free[order][piece / 64] >> (piece % 64) & 1;
}

static unsigned order_of(uint32_t bytes)
{
    LEAT_ASSERT(bytes && bytes <= LEAT_BLK_MAX_REQUEST);
    uint32_t pages = (uint32_t)((bytes + LEAT_PAGE_SIZE - 1) / LEAT_PAGE_SIZE);
    return pages == 1 ? 0 : 32 - (unsigned)__builtin_clz(pages - 1);
}

void blk_area_init(struct blk_area *area)
{
    const unsigned top = BLK_AREA_ORDERS - 1;
    memset(area, 0, sizeof(*area));
    for (unsigned piece = 0; piece < BLK_AREA_PAGES >> top; piece++)
        set_free(area, top, piece);
}

static uint64_t take(struct blk_area *area, unsigned wanted)
{
    unsigned order = wanted;
    while (order < BLK_AREA_ORDERS && !area->summary[order])
        order++;
    if (order == BLK_AREA_ORDERS)
        return BLK_AREA_NONE;
    unsigned word = (unsigned)__builtin_ctz(area->summary[order]);
    unsigned piece = word * 64 + (unsigned)__builtin_ctzll(area->free[order][word]);
    set_taken(area, order, piece);
    for (; order > wanted; order--) { /* split: keep the lower half */
        piece *= 2;
        set_free(area, order - 1, piece + 1);
    }
    return (uint64_t)piece * (LEAT_PAGE_SIZE << wanted);
}

static void give(struct blk_area *area, unsigned order, unsigned piece)
{
    for (; order < BLK_AREA_ORDERS - 1 && is_free(area, order, piece ^ 1); order++) {
        set_taken(area, order, piece ^ 1); /* join with the other half */
        piece /= 2;
    }
    LEAT_ASSERT(!is_free(area, order, piece));
    set_free(area, order, piece);
}

uint64_t blk_area_take(struct blk_area *area, uint32_t bytes)
{
    unsigned order = order_of(bytes);
    if (order == 0 && area->spare_count)
        return area->spares[--area->spare_count] * LEAT_PAGE_SIZE;
    uint64_t offset = take(area, order);
    if (offset != BLK_AREA_NONE || !area->spare_count)
        return offset;
    while (area->spare_count) /* they may be what keeps larger pieces apart */
        give(area, 0, area->spares[--area->spare_count]);
    return take(area, order);
}

void blk_area_give(struct blk_area *area, uint64_t offset, uint32_t bytes)
{
    unsigned order = order_of(bytes);
    unsigned piece = (unsigned)(offset / (LEAT_PAGE_SIZE << order));
    LEAT_ASSERT(offset % (LEAT_PAGE_SIZE << order) == 0 && piece < BLK_AREA_PAGES >> order);
    if (order == 0 && area->spare_count < BLK_AREA_SPARES)
        area->spares[area->spare_count++] = (uint16_t)piece;
    else
        give(area, order, piece);
}
