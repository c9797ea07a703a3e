// SPDX-License-Identifier: BSD-2-Clause
/* Static ELF64 programs of ring 3: just what loading them takes. Checks everything it reads.
 * Host-testable. */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <leat/types.h>

#define ELF_MAX_SEGMENTS 8u

struct elf_segment {
    uint64_t va, file_offset, file_size, memory_size;
    uint32_t prot; /* enum leat_prot */
};

struct elf_image {
    uint64_t entry;
    unsigned segment_count;
    struct elf_segment segments[ELF_MAX_SEGMENTS]; /* by va, no two in one page */
};

/* Parses a static x86-64 executable whose segments lie in [low, high). NULL, or what is wrong with
 * it. */
const char *elf_parse(const void *file, uint64_t size, uint64_t low, uint64_t high,
                      struct elf_image *image);

#endif
