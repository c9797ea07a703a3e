// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a guest's linear address to its physical one, as its own page tables say: no paging, 32-bit,
 * PAE, 4-level, 5-level. SDM vol. 3, chapter 4. Portable. Reads guest memory that other vCPUs
 * change.
 */
#ifndef VMM_CPU_PAGE_WALK_H
#define VMM_CPU_PAGE_WALK_H

#include <leat/types.h>
#include "vmm/memory.h"

struct walk_mode { /* the registers that decide */
    uint64_t cr0, cr3, cr4, efer, rflags;
    bool is_user; /* CPL 3 */
};

enum walk_access {
    WALK_READ = 0,
    WALK_WRITE = 1u << 0,
    WALK_FETCH = 1u << 1,
};

struct walk_result {
    bool is_fault;
    uint32_t error; /* #PF error code: SDM vol. 3, figure 4-12 */
    gpa_t gpa;
    uint64_t page_bytes; /* how far the mapping goes: size of the page that gpa lies in */
};

/* Sets accessed and dirty flags as the CPU would. A table outside RAM counts as not present. */
struct walk_result page_walk(const struct guest_memory *memory, const struct walk_mode *mode,
                             gva_t address, unsigned access);

#endif
