// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads a program: a static ELF64 executable (System V ABI, AMD64 supplement). Strict, bounded,
 * portable: it only looks; boot loads the kernel and the supervisor so, the supervisor all others.
 */
#ifndef LIB_ELF_H
#define LIB_ELF_H

#include <leat/types.h>

#define ELF_MAX_SEGMENTS 8
#define ELF_RING3_FIRST 0x400000ull         /* above all that a process is started with */
#define ELF_RING3_END 0x80000000ull         /* -mcmodel=small */
#define ELF_MAX_SEGMENT_BYTES (64ull << 20) /* in memory; far above any service of ours */

struct elf_segment {
    uint64_t va, memory_size;        /* page-aligned; whole pages */
    uint64_t lead;                   /* bytes from va to where the file's bytes go */
    uint64_t file_offset, file_size; /* inside the image */
    uint32_t prot;                   /* enum leat_prot; never WRITE and EXEC */
};

struct elf_program {
    uint64_t entry_va; /* inside an executable segment */
    unsigned count;
    struct elf_segment segments[ELF_MAX_SEGMENTS]; /* ascending, no two on one page */
};

/* All segments lie in [first, end), page addresses, end at least ELF_MAX_SEGMENT_BYTES. LEAT_OK, or
   LEAT_EINVAL with *why set to a constant text for people. */
int elf_read(const uint8_t *image, size_t size, uint64_t first, uint64_t end,
             struct elf_program *program, const char **why);

#endif
