// SPDX-License-Identifier: BSD-2-Clause
#include "lib/map.h"

#include "lib/sys.h"

/* In units of 4 KiB pages above LEAT_MAP_VA, so that one atomic addition hands out a range. */
static uint64_t next_page;

uint64_t leat_map_reserve(uint64_t size)
{
    uint64_t pages = (size + LEAT_PAGE_SIZE - 1) / LEAT_PAGE_SIZE;
    uint64_t align = size % LEAT_LARGE_PAGE_SIZE == 0 ? LEAT_LARGE_PAGE_SIZE / LEAT_PAGE_SIZE : 1;
    uint64_t first;

    if (size == 0 || size > LEAT_CHANNEL_VA - LEAT_MAP_VA) {
        return 0;
    }
    first = __atomic_fetch_add(&next_page, pages + align + 1, __ATOMIC_RELAXED);
    first = (first + align) & ~(align - 1);
    return LEAT_MAP_VA + first * LEAT_PAGE_SIZE;
}

void *leat_map(leat_handle_t mem, uint64_t offset, uint64_t size, uint32_t prot)
{
    uint64_t va = leat_map_reserve(size);

    if (va == 0 || leat_mem_map(LEAT_SELF, mem, va, offset, size, prot) != LEAT_OK) {
        return NULL;
    }
    return (void *)va;
}

void *leat_map_pages(uint64_t size, uint32_t flags, leat_handle_t *mem)
{
    uint64_t unit = (flags & LEAT_MEM_LARGE) != 0 ? LEAT_LARGE_PAGE_SIZE : LEAT_PAGE_SIZE;
    uint64_t rounded = (size + unit - 1) & ~(unit - 1);
    int64_t handle = rounded < size ? LEAT_EINVAL : leat_mem_create(rounded, flags);
    void *at;

    if (handle <= 0) {
        return NULL;
    }
    at = leat_map((leat_handle_t)handle, 0, rounded, LEAT_PROT_READ | LEAT_PROT_WRITE);
    if (at != NULL && mem != NULL) {
        *mem = (leat_handle_t)handle;
    } else {
        leat_handle_close((leat_handle_t)handle);
    }
    return at;
}
