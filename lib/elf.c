// SPDX-License-Identifier: BSD-2-Clause
#include "lib/elf.h"

#include <string.h>

/* System V ABI, chapter 4 "ELF header" and chapter 5 "Program header". */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

enum { ET_EXEC = 2, EM_X86_64 = 62, PT_LOAD = 1, PT_DYNAMIC = 2, PT_INTERP = 3, PT_TLS = 7 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };

#define MAX_PROGRAM_HEADERS 32

static const char *check_header(const struct elf_header *header, size_t size)
{
    /* Magic, 64-bit class, little endian, version 1. */
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

    if (memcmp(header->ident, ident, sizeof(ident)) != 0) {
        return "not a little-endian ELF64 file";
    }
    if (header->type != ET_EXEC || header->machine != EM_X86_64) {
        return "not a static x86-64 executable";
    }
    if (header->phentsize != sizeof(struct elf_program_header) || header->phnum == 0 ||
        header->phnum > MAX_PROGRAM_HEADERS) {
        return "program header table of a wrong size";
    }
    if (header->phoff > size ||
        size - header->phoff < (size_t)header->phnum * sizeof(struct elf_program_header)) {
        return "program header table outside the file";
    }
    return NULL;
}

static const char *check_load(const struct elf_program_header *ph, size_t size, uint64_t first,
                              uint64_t end)
{
    if (ph->filesz > ph->memsz || ph->memsz > ELF_MAX_SEGMENT_BYTES) {
        return "segment of an impossible size";
    }
    if (ph->offset > size || ph->filesz > size - ph->offset) {
        return "segment outside the file";
    }
    if (ph->vaddr < first || ph->vaddr > end - ph->memsz) {
        return "segment outside a program's addresses";
    }
    if ((ph->flags & PF_W) != 0 && (ph->flags & PF_X) != 0) {
        return "segment both writable and executable";
    }
    return NULL;
}

static const char *add_segment(struct elf_program *program, const struct elf_program_header *ph)
{
    struct elf_segment *segment = &program->segments[program->count];
    uint64_t end = (ph->vaddr + ph->memsz + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);

    if (program->count == ELF_MAX_SEGMENTS) {
        return "too many segments";
    }
    segment->va = ph->vaddr & ~(LEAT_PAGE_SIZE - 1);
    segment->lead = ph->vaddr - segment->va;
    segment->memory_size = end - segment->va;
    segment->file_offset = ph->offset;
    segment->file_size = ph->filesz;
    segment->prot = LEAT_PROT_READ;
    segment->prot |= (ph->flags & PF_W) != 0 ? LEAT_PROT_WRITE : 0;
    segment->prot |= (ph->flags & PF_X) != 0 ? LEAT_PROT_EXEC : 0;
    if (program->count != 0 && segment[-1].va + segment[-1].memory_size > segment->va) {
        return "segments overlap or are out of order";
    }
    program->count++;
    return NULL;
}

static const char *add_header(struct elf_program *program, const struct elf_program_header *ph,
                              size_t size, uint64_t first, uint64_t end)
{
    const char *problem;

    switch (ph->type) {
    case PT_DYNAMIC:
    case PT_INTERP:
        return "dynamically linked";
    case PT_TLS:
        return "wants thread-local storage";
    case PT_LOAD:
        if (ph->memsz == 0) {
            return NULL;
        }
        problem = check_load(ph, size, first, end);
        return problem != NULL ? problem : add_segment(program, ph);
    default:
        return NULL; /* notes, GNU_STACK: nothing that loading needs */
    }
}

static bool entry_is_code(const struct elf_program *program)
{
    for (unsigned i = 0; i < program->count; i++) {
        const struct elf_segment *s = &program->segments[i];

        if ((s->prot & LEAT_PROT_EXEC) != 0 && program->entry_va >= s->va &&
            program->entry_va - s->va < s->memory_size) {
            return true;
        }
    }
    return false;
}

int elf_read(const uint8_t *image, size_t size, uint64_t first, uint64_t end,
             struct elf_program *program, const char **why)
{
    struct elf_header header;

    memset(program, 0, sizeof(*program));
    if (size < sizeof(header)) {
        *why = "shorter than an ELF header";
        return LEAT_EINVAL;
    }
    memcpy(&header, image, sizeof(header));
    *why = check_header(&header, size);
    for (unsigned i = 0; *why == NULL && i < header.phnum; i++) {
        struct elf_program_header ph;

        memcpy(&ph, image + header.phoff + i * sizeof(ph), sizeof(ph));
        *why = add_header(program, &ph, size, first, end);
    }
    program->entry_va = header.entry;
    if (*why == NULL && !entry_is_code(program)) {
        *why = "entry point outside the code";
    }
    return *why == NULL ? LEAT_OK : LEAT_EINVAL;
}
