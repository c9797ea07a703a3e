// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <string.h>

#include "lib/elf.h"

#define KERNEL_VA_FIRST 0xffffffff80000000ull /* bootinfo.h */
#define KERNEL_VA_END 0xfffffffffffff000ull   /* so that no end of a segment is 0 */

_Static_assert(ELF_MAX_SEGMENTS == LEAT_BOOT_MAX_SEGMENTS, "each has its place");

/* What a kind of program is asked for. */
struct kind {
    const char *name;
    uint64_t va_first, va_end, align;
    uint32_t type; /* of its memory: enum leat_memory_type */
};

/* Copies the segments to one run of memory that is laid out as their addresses are. */
static void load(struct boot *boot, const struct kind *kind, const uint8_t *file, uint64_t size,
                 struct leat_boot_program *program)
{
    struct elf_program elf;
    const char *why;
    if (elf_read(file, size, kind->va_first, kind->va_end, &elf, &why) != LEAT_OK)
        say_fatal(boot, kind->name, " inside leat.efi is not a valid program: ", why);
    const struct elf_segment *last = &elf.segments[elf.count - 1];
    uint64_t lowest = elf.segments[0].va, bytes = last->va + last->memory_size - lowest;
    if (bytes > ELF_MAX_SEGMENT_BYTES)
        say_fatal(boot, kind->name, " inside leat.efi is not a valid program: it has gaps");
    uint8_t *base = boot_allocate(boot, bytes, kind->align, kind->type, kind->name);
    program->entry_va = elf.entry_va;
    program->count = elf.count;
    for (unsigned i = 0; i < elf.count; i++) {
        const struct elf_segment *s = &elf.segments[i];
        uint8_t *at = base + (s->va - lowest);
        memcpy(at + s->lead, file + s->file_offset, s->file_size);
        program->segments[i] =
            (struct leat_boot_segment){s->va, (uintptr_t)at, s->memory_size, s->prot, 0};
    }
}

void program_load_kernel(struct boot *boot, const uint8_t *file, uint64_t size)
{
    static const struct kind kind = {"the kernel", KERNEL_VA_FIRST, KERNEL_VA_END,
                                     LEAT_LARGE_PAGE_SIZE, LEAT_MEMORY_KERNEL};
    load(boot, &kind, file, size, &boot->kernel);
    const struct leat_boot_segment *first = &boot->kernel.segments[0],
                                   *last = first + boot->kernel.count - 1;
    boot->info->kernel_base_hpa = first->hpa;
    boot->info->kernel_size = last->va + last->size - first->va;
}

void program_load_supervisor(struct boot *boot, const uint8_t *file, uint64_t size)
{
    static const struct kind kind = {"the supervisor", ELF_RING3_FIRST, ELF_RING3_END,
                                     LEAT_PAGE_SIZE, LEAT_MEMORY_MODULE};
    load(boot, &kind, file, size, &boot->info->supervisor);
}
