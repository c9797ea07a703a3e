// SPDX-License-Identifier: BSD-2-Clause
/* The address space of a domain: which memory objects are mapped where, on top of the arch's page
   tables. */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include "kernel/arch.h"
#include "kernel/list.h"
#include "kernel/mem.h"

#define SPACE_MIN_VA 0x10000ull
#define SPACE_MAX_VA 0x7fffffff0000ull
#define SPACE_MAX_MAPPINGS 4096u

struct mapping {
    struct list link;
    struct mem *mem; /* a reference */
    uint64_t va, size, offset;
    uint32_t prot; /* enum leat_prot */
    bool busy;     /* being made or unmade by a thread that may be preempted */
};

struct space {
    struct arch_space arch;
    struct list mappings; /* by va */
    uint32_t mapping_count;
    struct quota *quota; /* pays for mappings and tables; not counted */
};

int space_init(struct space *space, struct quota *quota); /* LEAT_OK or LEAT_ENOMEM */
void space_destroy(struct space *space);                  /* may preempt */

/* Arguments as of LEAT_SYS_MEM_MAP, all checked here but the handle's rights. May preempt. */
int space_map(struct space *space, struct mem *mem, uint64_t va, uint64_t offset, uint64_t size,
              uint32_t prot);
int space_unmap(struct space *space, uint64_t va, uint64_t size); /* may preempt */

#endif
