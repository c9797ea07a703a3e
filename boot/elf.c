// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <elf.h>
#include <string.h>

#define KERNEL_VA_FIRST 0xffffffff80000000ull /* bootinfo.h */
#define KERNEL_MAX_BYTES (64ull << 20)

static const Elf64_Phdr *program_headers(const uint8_t *file)
{
    return (const Elf64_Phdr *)(file + ((const Elf64_Ehdr *)file)->e_phoff);
}

static bool header_is_sound(const uint8_t *file, uint64_t size)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    return size >= sizeof(*header) && memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == EM_X86_64 &&
           header->e_type == ET_EXEC && header->e_phentsize == sizeof(Elf64_Phdr) &&
           header->e_phoff % 8 == 0 && header->e_phoff <= size &&
           header->e_phnum <= (size - header->e_phoff) / sizeof(Elf64_Phdr);
}

static bool segment_is_sound(const Elf64_Phdr *segment, uint64_t size)
{
    return segment->p_filesz <= segment->p_memsz && segment->p_offset <= size &&
           segment->p_filesz <= size - segment->p_offset && segment->p_vaddr >= KERNEL_VA_FIRST &&
           segment->p_memsz <= KERNEL_MAX_BYTES &&
           segment->p_vaddr <= UINT64_MAX - LEAT_PAGE_SIZE - segment->p_memsz;
}

static uint64_t page_down(uint64_t address)
{
    return address & ~(LEAT_PAGE_SIZE - 1);
}
static uint64_t page_up(uint64_t address)
{
    return page_down(address + LEAT_PAGE_SIZE - 1);
}

static uint64_t lowest_va(const uint8_t *file)
{
    uint64_t lowest = UINT64_MAX;
    for (unsigned i = 0; i < ((const Elf64_Ehdr *)file)->e_phnum; i++) {
        const Elf64_Phdr *segment = &program_headers(file)[i];
        if (segment->p_type == PT_LOAD && segment->p_memsz != 0 && segment->p_vaddr < lowest)
            lowest = segment->p_vaddr;
    }
    return page_down(lowest);
}

void elf_load(struct boot *boot, const uint8_t *file, uint64_t size)
{
    static const char bad[] = "the kernel inside leat.efi is not a valid ELF program";
    if (!header_is_sound(file, size))
        say_fatal(boot, bad);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *segments = program_headers(file);
    uint64_t end =
        0; /* segments are in rising order and share no page: they have different rights */
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type != PT_LOAD || segments[i].p_memsz == 0)
            continue;
        if (!segment_is_sound(&segments[i], size) || page_down(segments[i].p_vaddr) < end)
            say_fatal(boot, bad);
        end = page_up(segments[i].p_vaddr + segments[i].p_memsz);
    }
    uint64_t lowest = lowest_va(file);
    if (end == 0 || end - lowest > KERNEL_MAX_BYTES || header->e_entry < lowest ||
        header->e_entry >= end)
        say_fatal(boot, bad);

    uint8_t *base =
        boot_allocate(boot, end - lowest, LEAT_LARGE_PAGE_SIZE, LEAT_MEMORY_KERNEL, "the kernel");
    for (unsigned i = 0; i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD)
            memcpy(base + (segments[i].p_vaddr - lowest), file + segments[i].p_offset,
                   segments[i].p_filesz);
    boot->kernel_entry = header->e_entry;
    boot->info->kernel_base_hpa = (uintptr_t)base;
    boot->info->kernel_size = end - lowest;
}

void elf_segments(const uint8_t *file, struct boot *boot,
                  void (*fn)(struct boot *boot, uint64_t va, uint64_t hpa, uint64_t size,
                             uint32_t flags))
{
    uint64_t lowest = lowest_va(file);
    for (unsigned i = 0; i < ((const Elf64_Ehdr *)file)->e_phnum; i++) {
        const Elf64_Phdr *segment = &program_headers(file)[i];
        if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
            continue;
        uint64_t va = page_down(segment->p_vaddr);
        fn(boot, va, boot->info->kernel_base_hpa + (va - lowest),
           page_up(segment->p_vaddr + segment->p_memsz) - va, segment->p_flags);
    }
}
