// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory objects: what can be mapped into domains and guests. The frames of one are all there from
 * its creation on and never change: what is mapped is pinned.
 */
#ifndef KERNEL_MEM_H
#define KERNEL_MEM_H

#include <leat/syscall.h>
#include "kernel/object.h"

#define MEM_TABLE_ENTRIES 512u

struct mem {
    struct object object;
    uint64_t size;      /* bytes, a multiple of 1 << page_shift */
    uint8_t page_shift; /* 12 or 21: size and alignment of each physically contiguous piece */
    uint8_t cache;      /* enum leat_cache */
    bool is_phys;       /* device memory or boot module: not ours to free */
    bool is_contiguous; /* `base` says it all */
    hpa_t base;         /* of a contiguous one */
    uint64_t **table;   /* else: [i / 512][i % 512] = raw hpa of piece i */
    uint64_t allocated; /* bytes that have frames; less than size only while being made */
};

/* Creates a zeroed one and charges it to payer. flags: LEAT_MEM_*. May preempt. LEAT_OK, LEAT_EINVAL,
   LEAT_ENOMEM. */
int mem_create(struct quota *payer, uint64_t size, uint32_t flags, struct mem **mem);

/* Over physical memory that is not the kernel's; the caller has checked that it may. */
int mem_create_phys(struct quota *payer, hpa_t base, uint64_t size, uint32_t cache,
                    struct mem **mem);

/* Physical address of the byte at offset < size. */
hpa_t mem_hpa(const struct mem *mem, uint64_t offset);

/*
 * The largest page_shift (12 or 21) with which the object's bytes from `offset` can be mapped at an
 * address (virtual or guest-physical) with `remaining` bytes to go: all three aligned, and
 * physically contiguous.
 */
unsigned mem_map_shift(const struct mem *mem, uint64_t offset, uint64_t address,
                       uint64_t remaining);

static inline struct mem *mem_of(struct object *object)
{
    return (struct mem *)object;
}

#endif
