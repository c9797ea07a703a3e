// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/space.h"
#include "kernel/assert.h"
#include "kernel/kmem.h"
#include "kernel/sched.h"

/* Mappings are small: they are charged a page for this many. */
#define MAPPINGS_PER_PAGE 32u

int space_init(struct space *space, struct quota *quota)
{
    *space = (struct space){.quota = quota};
    list_init(&space->mappings);
    return arch_space_init(&space->arch, quota);
}

static struct mapping *mapping_of(struct list *link)
{
    return LIST_ENTRY(link, struct mapping, link);
}

static struct mapping *mapping_new(struct space *space)
{
    bool pays = space->mapping_count % MAPPINGS_PER_PAGE == 0;
    if (space->mapping_count == SPACE_MAX_MAPPINGS ||
        (pays && quota_charge(space->quota, 1) != LEAT_OK))
        return NULL;
    struct mapping *mapping = kzalloc(sizeof(*mapping));
    if (mapping)
        space->mapping_count++;
    else if (pays)
        quota_uncharge(space->quota, 1);
    return mapping;
}

static void mapping_free(struct space *space, struct mapping *mapping)
{
    list_remove(&mapping->link);
    if (--space->mapping_count % MAPPINGS_PER_PAGE == 0)
        quota_uncharge(space->quota, 1);
    struct mem *mem = mapping->mem;
    kfree(mapping);
    object_put(&mem->object);
}

/* Removes the pages of [va, va + size). */
static void unmap_pages(struct space *space, uint64_t va, uint64_t size)
{
    unsigned done = 0;
    if (!size)
        return;
    for (uint64_t at = va; at < va + size;) {
        unsigned shift = arch_space_unmap(&space->arch, at);
        KASSERT(shift != 0);
        at += 1ull << shift;
        if (++done % 256 == 0)
            sched_preempt_point();
    }
    arch_space_flush(&space->arch);
}

static int map_pages(struct space *space, const struct mapping *m)
{
    unsigned done = 0;
    for (uint64_t at = 0; at < m->size;) {
        unsigned shift = mem_map_shift(m->mem, m->offset + at, m->va + at, m->size - at);
        int error = arch_space_map(&space->arch, m->va + at, mem_hpa(m->mem, m->offset + at), shift,
                                   m->prot, m->mem->cache);
        if (error != LEAT_OK) {
            unmap_pages(space, m->va, at);
            return error;
        }
        at += 1ull << shift;
        if (++done % 256 == 0)
            sched_preempt_point();
    }
    return LEAT_OK;
}

static bool is_page_range(uint64_t start, uint64_t size, uint64_t end)
{
    return size != 0 && !((start | size) & (LEAT_PAGE_SIZE - 1)) && start <= end &&
           size <= end - start;
}

int space_map(struct space *space, struct mem *mem, uint64_t va, uint64_t offset, uint64_t size,
              uint32_t prot)
{
    const uint32_t all = LEAT_PROT_READ | LEAT_PROT_WRITE | LEAT_PROT_EXEC;
    if (va < SPACE_MIN_VA || !is_page_range(va, size, SPACE_MAX_VA) || (prot & ~all) ||
        !(prot & LEAT_PROT_READ) || ((prot & LEAT_PROT_WRITE) && (prot & LEAT_PROT_EXEC)))
        return LEAT_EINVAL;
    if (!is_page_range(offset, size, mem->size))
        return LEAT_ERANGE;

    struct list *next = space->mappings.next; /* the first mapping that ends behind va */
    while (next != &space->mappings && mapping_of(next)->va + mapping_of(next)->size <= va)
        next = next->next;
    if (next != &space->mappings && mapping_of(next)->va < va + size)
        return LEAT_EBUSY;
    struct mapping *m = mapping_new(space);
    if (!m)
        return LEAT_ENOMEM;
    m->mem = mem;
    m->va = va;
    m->size = size;
    m->offset = offset;
    m->prot = prot;
    m->busy = true;
    object_get(&mem->object);
    list_insert_before(next, &m->link);
    int error = map_pages(space, m);
    m->busy = false;
    if (error != LEAT_OK)
        mapping_free(space, m);
    return error;
}

int space_unmap(struct space *space, uint64_t va, uint64_t size)
{
    for (struct list *at = space->mappings.next; at != &space->mappings; at = at->next) {
        struct mapping *m = mapping_of(at);
        if (m->va != va)
            continue;
        if (m->size != size)
            return LEAT_EINVAL;
        if (m->busy)
            return LEAT_EBUSY;
        m->busy = true;
        unmap_pages(space, va, size);
        mapping_free(space, m);
        return LEAT_OK;
    }
    return LEAT_ENOENT;
}

void space_destroy(struct space *space)
{
    /* Tables go first, whole: with no thread left nothing runs in them, and page by page is not needed. */
    arch_space_destroy(&space->arch);
    while (!list_empty(&space->mappings))
        mapping_free(space, mapping_of(space->mappings.next));
}
