// SPDX-License-Identifier: BSD-2-Clause
/* The machine's frame pool and the allocators over it. */
#include "kernel/arch.h"
#include "kernel/frame.h"

struct frame_pool frames;
static uint64_t kernel_bytes; /* of the machine, as frames_info shows it */

uint64_t memory_kernel_bytes(void)
{
    return kernel_bytes;
}
void memory_kernel_add(uint64_t bytes)
{
    kernel_bytes += bytes;
}

hpa_t frame_alloc(unsigned order, unsigned flags)
{
    return frame_pool_alloc(&frames, order, flags);
}
void frame_free(hpa_t block, unsigned order)
{
    frame_pool_free(&frames, block, order);
}

void *page_alloc(void)
{
    hpa_t page = frame_alloc(FRAME_ORDER_4K, FRAME_ZERO);
    return page.raw ? phys_to_ptr(page) : NULL;
}

void page_free(void *page)
{
    frame_free(ptr_to_phys(page), FRAME_ORDER_4K);
}
