// SPDX-License-Identifier: BSD-2-Clause
/*
 * Physical frames: a buddy allocator over blocks of 4 KiB << order. Free blocks carry their list
 * links in themselves, seen through `window`, so it runs on the host over any array; but those of
 * the highest order have theirs in an array, so that starting does not touch all of the memory. Two
 * zones, so that memory below 4 GiB is kept for devices that cannot reach more.
 */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include "kernel/list.h"
#include <leat/types.h>

#define FRAME_ORDER_4K 0u
#define FRAME_ORDER_2M 9u
#define FRAME_ORDERS 11u /* 4 KiB ... 4 MiB */
#define FRAME_ORDER_TOP (FRAME_ORDERS - 1)

enum frame_flags {
    FRAME_ZERO = 1u << 0, /* filled with zeros */
    FRAME_LOW = 1u << 1,  /* below 4 GiB */
};

enum frame_zone { FRAME_ZONE_LOW, FRAME_ZONE_HIGH, FRAME_ZONES };

struct frame_pool {
    uint8_t *state; /* one byte a frame: order + 1 of the first frame of a free block, else 0 */
    struct list *top_links; /* of block n of the highest order */
    uint64_t frame_count;   /* frames 0 ... frame_count - 1 have a state */
    uint8_t *window;        /* virtual address of physical address 0 */
    uint64_t free_frames, total_frames;
    struct list free[FRAME_ZONES][FRAME_ORDERS];
};

/* Bytes of bookkeeping for so many frames. */
uint64_t frame_pool_bytes(uint64_t frame_count);

/* books: frame_pool_bytes(frame_count) bytes, 16-byte aligned, cleared here. Nothing is free at first. */
void frame_pool_init(struct frame_pool *pool, void *books, uint64_t frame_count, void *window);

/* Gives a page-aligned range below frame_count to the pool; it must not be in it yet. */
void frame_pool_add(struct frame_pool *pool, hpa_t base, uint64_t size_bytes);

/* A block of 4 KiB << order, naturally aligned. raw == 0: none left. flags: enum frame_flags. */
hpa_t frame_pool_alloc(struct frame_pool *pool, unsigned order, unsigned flags);
void frame_pool_free(struct frame_pool *pool, hpa_t block, unsigned order);

/* The machine's pool; the same contracts. Quotas are the caller's business. */
extern struct frame_pool frames;
hpa_t frame_alloc(unsigned order, unsigned flags);
void frame_free(hpa_t block, unsigned order);

/* RAM that the kernel keeps for its image and tables since boot: for frames_info. */
uint64_t memory_kernel_bytes(void);
void memory_kernel_add(uint64_t bytes);

/* One zeroed 4 KiB page through the direct map, NULL when there is none. */
void *page_alloc(void);
void page_free(void *page);

#endif
