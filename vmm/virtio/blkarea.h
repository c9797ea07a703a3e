// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who has which piece of a block channel's data area: a buddy allocator over 4 KiB pages, pieces of
 * 2^n pages up to LEAT_BLK_MAX_REQUEST. Bitmaps of its own, nothing in the shared memory.
 */
#ifndef VMM_VIRTIO_BLKAREA_H
#define VMM_VIRTIO_BLKAREA_H

#include <leat/blk.h>

#define BLK_AREA_PAGES ((unsigned)(LEAT_BLK_DATA_BYTES / LEAT_PAGE_SIZE))
#define BLK_AREA_ORDERS 9u /* 4 KiB .. 1 MiB */
#define BLK_AREA_WORDS (BLK_AREA_PAGES / 64)
#define BLK_AREA_NONE UINT64_MAX

_Static_assert(LEAT_PAGE_SIZE << (BLK_AREA_ORDERS - 1) == LEAT_BLK_MAX_REQUEST, "orders");
_Static_assert(BLK_AREA_WORDS <= 32, "one summary word an order");

#define BLK_AREA_SPARES 32u /* single pages kept aside: most requests are one page */

struct blk_area {
    unsigned spare_count;
    uint16_t spares[BLK_AREA_SPARES];               /* page numbers; not in free[] */
    uint32_t summary[BLK_AREA_ORDERS];              /* words of free[] that are not zero */
    uint64_t free[BLK_AREA_ORDERS][BLK_AREA_WORDS]; /* bit n: piece n of that order is free */
};

void blk_area_init(struct blk_area *area);
/* Offset of a piece of at least `bytes` (1..LEAT_BLK_MAX_REQUEST), or BLK_AREA_NONE. */
uint64_t blk_area_take(struct blk_area *area, uint32_t bytes);
/* Gives it back; bytes as taken. */
void blk_area_give(struct blk_area *area, uint64_t offset, uint32_t bytes);

#endif
