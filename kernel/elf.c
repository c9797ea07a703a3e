// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/elf.h"
#include <leat/syscall.h>

/* System V gABI, chapter 4 and 5 */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, program_count, section_size, section_count, names;
};

struct elf_program {
    uint32_t type, flags;
    uint64_t offset, va, pa, file_size, memory_size, align;
};

#define ELF_EXEC 2
#define ELF_X86_64 62
#define ELF_LOAD 1
#define ELF_DYNAMIC 2
#define ELF_INTERP 3
#define ELF_FLAG_X 1u
#define ELF_FLAG_W 2u

static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2 /* 64 bit */, 1 /* little endian */, 1};

static bool range_fits(uint64_t start, uint64_t size, uint64_t end)
{
    return start <= end && size <= end - start;
}

static const char *add_segment(const struct elf_program *p, uint64_t file_size, uint64_t low,
                               uint64_t high, struct elf_image *image)
{
    const uint64_t mask = LEAT_PAGE_SIZE - 1;
    if (p->memory_size == 0)
        return NULL;
    if (image->segment_count == ELF_MAX_SEGMENTS)
        return "too many segments";
    if (p->file_size > p->memory_size || !range_fits(p->offset, p->file_size, file_size))
        return "a segment lies outside of the file";
    if (p->va < low || !range_fits(p->va, p->memory_size, high))
        return "a segment lies outside of the address space";
    if (image->segment_count) {
        const struct elf_segment *last = &image->segments[image->segment_count - 1];
        if ((p->va & ~mask) < ((last->va + last->memory_size + mask) & ~mask))
            return "segments share a page or are not sorted";
    }
    if ((p->flags & ELF_FLAG_X) && (p->flags & ELF_FLAG_W))
        return "a segment is writable and executable";
    image->segments[image->segment_count++] = (struct elf_segment){
        .va = p->va,
        .file_offset = p->offset,
        .file_size = p->file_size,
        .memory_size = p->memory_size,
        .prot = LEAT_PROT_READ | (p->flags & ELF_FLAG_W ? LEAT_PROT_WRITE : 0u) |
                (p->flags & ELF_FLAG_X ? LEAT_PROT_EXEC : 0u),
    };
    return NULL;
}

const char *elf_parse(const void *file, uint64_t size, uint64_t low, uint64_t high,
                      struct elf_image *image)
{
    struct elf_header h;
    *image = (struct elf_image){0};
    if (size < sizeof(h))
        return "too short for an ELF header";
    __builtin_memcpy(&h, file, sizeof(h));
    if (__builtin_memcmp(h.ident, ident, sizeof(ident)) != 0 || h.machine != ELF_X86_64)
        return "not an x86-64 ELF file";
    if (h.type != ELF_EXEC)
        return "not a static executable";
    if (h.program_size != sizeof(struct elf_program) ||
        !range_fits(h.program_offset, (uint64_t)h.program_count * sizeof(struct elf_program), size))
        return "bad program headers";
    for (unsigned i = 0; i < h.program_count; i++) {
        struct elf_program p;
        __builtin_memcpy(&p, (const char *)file + h.program_offset + i * sizeof(p), sizeof(p));
        if (p.type == ELF_DYNAMIC || p.type == ELF_INTERP)
            return "dynamically linked";
        const char *wrong = p.type == ELF_LOAD ? add_segment(&p, size, low, high, image) : NULL;
        if (wrong)
            return wrong;
    }
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        if ((s->prot & LEAT_PROT_EXEC) && h.entry >= s->va && h.entry - s->va < s->memory_size)
            image->entry = h.entry;
    }
    return image->entry ? NULL : "the entry point is not in executable memory";
}
