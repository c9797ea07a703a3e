// SPDX-License-Identifier: BSD-2-Clause
/* Page tables: SDM vol. 3, 4.5. */
#ifndef ARCH_PAGING_H
#define ARCH_PAGING_H

#include <leat/types.h>

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_PS (1ull << 7)
#define PTE_GLOBAL (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
/* Memory types by HOST_PAT. */
#define PTE_WC PTE_PWT
#define PTE_UC (PTE_PCD | PTE_PWT)

/* The kernel's address space: the direct map at DIRECT_MAP_BASE; and in one top-level entry: */
#define WINDOW_BASE 0xffffff0000000000ull /* device memory */
#define STACKS_BASE 0xffffff4000000000ull /* kernel stacks */
/* and the image at -2 GiB. */

/* Maps one 4 KiB page for the kernel, in every address space. False: no memory for a table. */
bool paging_map_kernel(uint64_t va, hpa_t page, uint64_t flags);
bool paging_is_mapped(uint64_t kernel_va);

#endif
