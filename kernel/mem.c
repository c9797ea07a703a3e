// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/mem.h"
#include "kernel/assert.h"
#include "kernel/frame.h"
#include "kernel/kmem.h"
#include "kernel/sched.h"

#define CONTIGUOUS_MAX (LEAT_PAGE_SIZE << (FRAME_ORDERS - 1))

static unsigned piece_order(const struct mem *mem)
{
    return mem->page_shift - 12u;
}

static void free_contiguous(hpa_t base, uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at < to; at += LEAT_PAGE_SIZE)
        frame_free(hpa(base.raw + at), FRAME_ORDER_4K);
}

static void free_pieces(struct mem *mem)
{
    uint64_t pieces = mem->allocated >> mem->page_shift;
    for (uint64_t i = 0; i < pieces; i++) {
        frame_free(hpa(mem->table[i / MEM_TABLE_ENTRIES][i % MEM_TABLE_ENTRIES]), piece_order(mem));
        if (i % 64 == 63)
            sched_preempt_point();
    }
    for (unsigned i = 0; mem->table && i < MEM_TABLE_ENTRIES && mem->table[i]; i++)
        page_free(mem->table[i]);
    if (mem->table)
        page_free(mem->table);
}

static void mem_destroy(struct object *object)
{
    struct mem *mem = mem_of(object);
    if (!mem->is_phys) {
        if (mem->is_contiguous)
            free_contiguous(mem->base, 0, mem->allocated);
        else
            free_pieces(mem);
    }
    kfree(mem);
}

static const struct object_type mem_type = {OBJECT_MEM, "mem", mem_destroy};

static bool fill_contiguous(struct mem *mem, bool low)
{
    unsigned order = 0;
    while ((LEAT_PAGE_SIZE << order) < mem->size)
        order++;
    mem->base = frame_alloc(order, FRAME_ZERO | (low ? FRAME_LOW : 0));
    if (!mem->base.raw)
        return false;
    free_contiguous(mem->base, mem->size, LEAT_PAGE_SIZE << order);
    mem->allocated = mem->size;
    return true;
}

static bool fill_pieces(struct mem *mem)
{
    mem->table = page_alloc();
    if (!mem->table)
        return false;
    uint64_t pieces = mem->size >> mem->page_shift;
    for (uint64_t i = 0; i < pieces; i++) {
        uint64_t **leaf = &mem->table[i / MEM_TABLE_ENTRIES];
        if (!*leaf && !(*leaf = page_alloc()))
            return false;
        hpa_t piece = frame_alloc(piece_order(mem), FRAME_ZERO);
        if (!piece.raw)
            return false;
        (*leaf)[i % MEM_TABLE_ENTRIES] = piece.raw;
        mem->allocated += 1ull << mem->page_shift;
        /* A 2 MiB piece takes long enough to clear to look at each. */
        if (mem->page_shift > 12 || i % 64 == 63)
            sched_preempt_point();
    }
    return true;
}

/* Pages that an object costs: its frames, their table, and one for the object itself. */
static uint64_t cost_pages(uint64_t size, unsigned page_shift, bool contiguous)
{
    uint64_t pieces = size >> page_shift;
    uint64_t tables = contiguous ? 0 : 1 + (pieces + MEM_TABLE_ENTRIES - 1) / MEM_TABLE_ENTRIES;
    return size / LEAT_PAGE_SIZE + tables + 1;
}

int mem_create(struct quota *payer, uint64_t size, uint32_t flags, struct mem **out)
{
    bool large = flags & LEAT_MEM_LARGE;
    bool low = flags & LEAT_MEM_CONTIGUOUS;
    unsigned shift = large ? 21 : 12;
    bool contiguous = low || size == 1ull << shift;

    if ((flags & ~(uint32_t)(LEAT_MEM_LARGE | LEAT_MEM_CONTIGUOUS)) || size == 0 ||
        (size & ((1ull << shift) - 1)) || (low && size > CONTIGUOUS_MAX) ||
        size >> shift > (uint64_t)MEM_TABLE_ENTRIES * MEM_TABLE_ENTRIES)
        return LEAT_EINVAL;
    uint64_t cost = cost_pages(size, shift, contiguous);
    struct mem *mem = object_new(&mem_type, sizeof(*mem), payer, cost);
    if (!mem)
        return LEAT_ENOMEM;
    mem->size = size;
    mem->page_shift = (uint8_t)shift;
    mem->is_contiguous = contiguous;
    if (contiguous ? !fill_contiguous(mem, low) : !fill_pieces(mem)) {
        object_put(&mem->object);
        return LEAT_ENOMEM;
    }
    *out = mem;
    return LEAT_OK;
}

int mem_create_phys(struct quota *payer, hpa_t base, uint64_t size, uint32_t cache,
                    struct mem **out)
{
    struct mem *mem = object_new(&mem_type, sizeof(*mem), payer, 1);
    if (!mem)
        return LEAT_ENOMEM;
    mem->size = size;
    mem->page_shift = 12;
    mem->cache = (uint8_t)cache;
    mem->is_phys = true;
    mem->is_contiguous = true;
    mem->base = base;
    mem->allocated = size;
    *out = mem;
    return LEAT_OK;
}

hpa_t mem_hpa(const struct mem *mem, uint64_t offset)
{
    KASSERT(offset < mem->size);
    if (mem->is_contiguous)
        return hpa(mem->base.raw + offset);
    uint64_t piece = offset >> mem->page_shift;
    return hpa(mem->table[piece / MEM_TABLE_ENTRIES][piece % MEM_TABLE_ENTRIES] +
               (offset & ((1ull << mem->page_shift) - 1)));
}

unsigned mem_map_shift(const struct mem *mem, uint64_t offset, uint64_t address, uint64_t remaining)
{
    const uint64_t mask = LEAT_LARGE_PAGE_SIZE - 1;
    if (remaining < LEAT_LARGE_PAGE_SIZE || (address & mask))
        return 12;
    if (mem->is_contiguous)
        return mem->size - offset >= LEAT_LARGE_PAGE_SIZE && !((mem->base.raw + offset) & mask)
                   ? 21
                   : 12;
    return mem->page_shift == 21 && !(offset & mask) ? 21 : 12;
}
