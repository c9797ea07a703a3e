// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/frame.h"
#include "kernel/assert.h"

#define PAGE_SHIFT 12
#define LOW_FRAMES (1ull << (32 - PAGE_SHIFT)) /* frames below 4 GiB */

static struct list *links_of(const struct frame_pool *pool, uint64_t frame, unsigned order)
{
    if (order == FRAME_ORDER_TOP)
        return &pool->top_links[frame >> FRAME_ORDER_TOP];
    return (struct list *)(pool->window + (frame << PAGE_SHIFT));
}

static uint64_t frame_of(const struct frame_pool *pool, const struct list *links, unsigned order)
{
    if (order == FRAME_ORDER_TOP)
        return (uint64_t)(links - pool->top_links) << FRAME_ORDER_TOP;
    return (uint64_t)((const uint8_t *)links - pool->window) >> PAGE_SHIFT;
}

static struct list *list_for(struct frame_pool *pool, uint64_t frame, unsigned order)
{
    return &pool->free[frame < LOW_FRAMES ? FRAME_ZONE_LOW : FRAME_ZONE_HIGH][order];
}

static void block_link(struct frame_pool *pool, uint64_t frame, unsigned order)
{
    pool->state[frame] = (uint8_t)(order + 1);
    list_push_front(list_for(pool, frame, order), links_of(pool, frame, order));
}

static void block_unlink(struct frame_pool *pool, uint64_t frame, unsigned order)
{
    pool->state[frame] = 0;
    list_remove(links_of(pool, frame, order));
}

static uint64_t top_blocks(uint64_t frame_count)
{
    return (frame_count + (1ull << FRAME_ORDER_TOP) - 1) >> FRAME_ORDER_TOP;
}

uint64_t frame_pool_bytes(uint64_t frame_count)
{
    return top_blocks(frame_count) * sizeof(struct list) + frame_count;
}

void frame_pool_init(struct frame_pool *pool, void *books, uint64_t frame_count, void *window)
{
    *pool = (struct frame_pool){.top_links = books, .frame_count = frame_count, .window = window};
    pool->state = (uint8_t *)(pool->top_links + top_blocks(frame_count));
    __builtin_memset(books, 0, frame_pool_bytes(frame_count));
    for (unsigned zone = 0; zone < FRAME_ZONES; zone++)
        for (unsigned order = 0; order < FRAME_ORDERS; order++)
            list_init(&pool->free[zone][order]);
}

void frame_pool_free(struct frame_pool *pool, hpa_t block, unsigned order)
{
    uint64_t frame = block.raw >> PAGE_SHIFT;
    KASSERT(order < FRAME_ORDERS && (frame & ((1ull << order) - 1)) == 0);
    KASSERT(frame + (1ull << order) <= pool->frame_count && pool->state[frame] == 0);
    pool->free_frames += 1ull << order;
    while (order + 1 < FRAME_ORDERS) {
        uint64_t buddy = frame ^ (1ull << order);
        if (buddy >= pool->frame_count || pool->state[buddy] != order + 1)
            break;
        block_unlink(pool, buddy, order);
        frame &= ~(1ull << order);
        order++;
    }
    block_link(pool, frame, order);
}

void frame_pool_add(struct frame_pool *pool, hpa_t base, uint64_t size_bytes)
{
    uint64_t frame = base.raw >> PAGE_SHIFT, end = frame + (size_bytes >> PAGE_SHIFT);
    KASSERT(end <= pool->frame_count);
    pool->total_frames += end - frame;
    while (frame < end) {
        unsigned order = 0;
        while (order + 1 < FRAME_ORDERS && (frame & ((2ull << order) - 1)) == 0 &&
               frame + (2ull << order) <= end)
            order++;
        frame_pool_free(pool, hpa(frame << PAGE_SHIFT), order);
        frame += 1ull << order;
    }
}

static bool take(struct frame_pool *pool, enum frame_zone zone, unsigned order, uint64_t *frame)
{
    unsigned found = order;
    while (found < FRAME_ORDERS && list_empty(&pool->free[zone][found]))
        found++;
    if (found == FRAME_ORDERS)
        return false;
    *frame = frame_of(pool, pool->free[zone][found].next, found);
    KASSERT(*frame < pool->frame_count && pool->state[*frame] == found + 1);
    block_unlink(pool, *frame, found);
    while (found > order) { /* the upper halves go back */
        found--;
        block_link(pool, *frame + (1ull << found), found);
    }
    return true;
}

hpa_t frame_pool_alloc(struct frame_pool *pool, unsigned order, unsigned flags)
{
    uint64_t frame;
    KASSERT(order < FRAME_ORDERS);
    if (((flags & FRAME_LOW) || !take(pool, FRAME_ZONE_HIGH, order, &frame)) &&
        !take(pool, FRAME_ZONE_LOW, order, &frame))
        return hpa(0);
    pool->free_frames -= 1ull << order;
    if (flags & FRAME_ZERO)
        __builtin_memset(pool->window + (frame << PAGE_SHIFT), 0, 1ull << (PAGE_SHIFT + order));
    return hpa(frame << PAGE_SHIFT);
}
