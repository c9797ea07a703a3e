// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory of the own process at addresses that the library chooses. Address space is never used
 * twice, so a stale pointer faults. Any thread.
 */
#ifndef LIB_MAP_H
#define LIB_MAP_H

#include <leat/syscall.h>

/* Where things lie in a ring-3 process; the supervisor maps channels and files in its own area. */
#define LEAT_HEAP_VA 0x100000000000ull      /* grown by sbrk */
#define LEAT_MAP_VA 0x200000000000ull       /* leat_map, thread stacks */
#define LEAT_CHANNEL_VA 0x300000000000ull   /* what the supervisor maps */
#define LEAT_STACK_TOP_VA 0x700000000000ull /* first thread's stack ends here */

/* Addresses for size bytes, aligned to 4 KiB, or to 2 MiB when size is a multiple of it; nothing is
   mapped there. At least one unmapped page lies between any two. 0: size is 0 or absurd. */
uint64_t leat_map_reserve(uint64_t size);

/* Maps [offset, offset + size) of mem; NULL when the kernel refuses. */
void *leat_map(leat_handle_t mem, uint64_t offset, uint64_t size, uint32_t prot);

/* Zeroed memory, readable and writable; *mem (unless NULL) gets the object's handle, to be granted
   or asked for its physical address. NULL: no memory. Freed only with the process. */
void *leat_map_pages(uint64_t size, uint32_t flags, leat_handle_t *mem);

#endif
