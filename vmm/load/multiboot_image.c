// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sections named here are those of the Multiboot specification 0.6.96. Every offset and size of the
 * file is checked in 64 bits before it is used.
 */
#include "vmm/load/multiboot_image.h"

#include <string.h>

#include "vmm/layout.h"
#include "vmm/load/ram_map.h"

#define SEARCH_BYTES 8192u /* 3.1: the header lies wholly in the first 8192 bytes */
#define HEADER_BYTES 12u
#define HEADER_WITH_ADDRESSES 32u
#define MAGIC 0x1badb002u

/* 3.1.2: flags 0 to 15 are demands, of which a loader must know all */
#define FLAG_PAGE_ALIGN (1u << 0)
#define FLAG_MEMORY_INFO (1u << 1)
#define FLAG_VIDEO (1u << 2)
#define FLAG_DEMANDS 0xffffu
#define FLAG_ADDRESSES (1u << 16)

/* ELF-32: e_ident, e_type, e_machine, program headers */
#define ELF_HEADER_BYTES 52u
#define ELF_PHDR_BYTES 32u
#define ELF_MAX_PHDRS 64u
#define ELF_CLASS_64 2
#define ELF_CLASS_32 1
#define ELF_LITTLE_ENDIAN 1
#define ELF_EXECUTABLE 2
#define ELF_MACHINE_386 3
#define ELF_LOAD 1

struct header {
    uint64_t offset;
    uint32_t flags;
    uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct segment { /* file bytes [offset, offset + size) go to `at`, zeros follow up to `memory` */
    uint64_t offset, size, at, memory;
};

static int refuse(const char **why, const char *text)
{
    *why = text;
    return LEAT_EINVAL;
}

static uint32_t get32(const uint8_t *bytes)
{
    uint32_t v;
    memcpy(&v, bytes, sizeof(v));
    return v;
}

static uint16_t get16(const uint8_t *bytes)
{
    uint16_t v;
    memcpy(&v, bytes, sizeof(v));
    return v;
}

static int find_header(const struct multiboot_boot *boot, struct header *header, const char **why)
{
    const uint8_t *k = boot->kernel;
    uint64_t size = boot->kernel_size < SEARCH_BYTES ? boot->kernel_size : SEARCH_BYTES;
    uint64_t at = 0;
    while (k && at + HEADER_BYTES <= size &&
           (get32(k + at) != MAGIC || get32(k + at) + get32(k + at + 4) + get32(k + at + 8) != 0))
        at += 4;
    if (!k || at + HEADER_BYTES > size)
        return refuse(why, "the kernel file has no multiboot header in its first 8192 bytes");
    *header = (struct header){.offset = at, .flags = get32(k + at + 4)};
    if (header->flags & FLAG_VIDEO)
        return refuse(why, "the kernel's multiboot header demands a video mode (flag 2); a guest "
                           "has no screen");
    if (header->flags & FLAG_DEMANDS & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO))
        return refuse(why, "the kernel's multiboot header demands what the specification 0.6.96 "
                           "does not define (flags 3 to 15)");
    if (!(header->flags & FLAG_ADDRESSES))
        return LEAT_OK;
    if (at + HEADER_WITH_ADDRESSES > size)
        return refuse(why, "the kernel's multiboot header is cut off: flag 16 is set, but the "
                           "address fields are not there");
    header->header_addr = get32(k + at + 12);
    header->load_addr = get32(k + at + 16);
    header->load_end_addr = get32(k + at + 20);
    header->bss_end_addr = get32(k + at + 24);
    header->entry_addr = get32(k + at + 28);
    return LEAT_OK;
}

/* Puts one piece of the kernel where a kernel may lie, and widens the image by it. */
static int load_segment(const struct guest_memory *memory, const struct multiboot_boot *boot,
                        const struct segment *s, struct multiboot_image *image, const char **why)
{
    uint64_t end = s->at + s->memory; /* both come from 32-bit fields */
    if (s->size > s->memory || s->offset > boot->kernel_size ||
        s->size > boot->kernel_size - s->offset)
        return refuse(why, "the kernel file is cut off, or its headers contradict each other");
    if (end > RAM_MAP_LOW_TOP && s->at < LAYOUT_BIOS_END)
        return refuse(why, "the kernel wants to lie between 639 KiB and 1 MiB, where a PC has no "
                           "free memory");
    uint8_t *to = guest_memory_at(memory, gpa(s->at), s->memory);
    if (!to) {
        *why = "the kernel does not fit into the guest's memory where it wants to lie: give the "
               "VM more (memory=)";
        return LEAT_ENOMEM;
    }
    if (s->size)
        memcpy(to, (const uint8_t *)boot->kernel + s->offset, s->size);
    memset(to + s->size, 0, s->memory - s->size);
    if (s->at < image->low)
        image->low = s->at;
    if (end > image->end)
        image->end = end;
    return LEAT_OK;
}

/* 3.1.3: the file from offset - (header_addr - load_addr) on goes to load_addr. */
static int load_flat(const struct guest_memory *memory, const struct multiboot_boot *boot,
                     const struct header *h, struct multiboot_image *image, const char **why)
{
    uint64_t before = (uint64_t)h->header_addr - h->load_addr;
    if (h->header_addr < h->load_addr || before > h->offset)
        return refuse(why, "the multiboot header's header_addr and load_addr contradict the file");
    struct segment s = {.offset = h->offset - before, .at = h->load_addr};
    s.size = boot->kernel_size - s.offset;
    if (h->load_end_addr) {
        if (h->load_end_addr < h->load_addr)
            return refuse(why, "the multiboot header's load_end_addr lies before load_addr");
        s.size = h->load_end_addr - h->load_addr;
    }
    s.memory = s.size;
    if (h->bss_end_addr) {
        if (h->bss_end_addr < h->load_addr || h->bss_end_addr - h->load_addr < s.size)
            return refuse(why, "the multiboot header's bss_end_addr lies before the loaded part");
        s.memory = h->bss_end_addr - h->load_addr;
    }
    if (!s.memory || s.memory > UINT32_MAX)
        return refuse(why, "the multiboot header's addresses leave nothing to load");
    image->entry = h->entry_addr;
    return load_segment(memory, boot, &s, image, why);
}

static int check_elf(const struct multiboot_boot *boot, const char **why)
{
    const uint8_t *k = boot->kernel;
    if (boot->kernel_size < ELF_HEADER_BYTES || memcmp(k, "\177ELF", 4) != 0)
        return refuse(why, "the kernel file is no ELF, and its multiboot header has no addresses "
                           "(flag 16)");
    if (k[4] == ELF_CLASS_64)
        return refuse(why, "the kernel file is a 64-bit ELF; multiboot takes 32-bit ones (objcopy "
                           "-O elf32-i386 makes one)");
    if (k[4] != ELF_CLASS_32 || k[5] != ELF_LITTLE_ENDIAN || get16(k + 16) != ELF_EXECUTABLE ||
        get16(k + 18) != ELF_MACHINE_386)
        return refuse(why, "the kernel file is no 32-bit ELF program of the 80386");
    uint64_t table = get32(k + 28), count = get16(k + 44);
    if (get16(k + 42) != ELF_PHDR_BYTES || !count || count > ELF_MAX_PHDRS ||
        table > boot->kernel_size || count * ELF_PHDR_BYTES > boot->kernel_size - table)
        return refuse(why, "the kernel's ELF program headers are not wholly in the file, or more "
                           "than 64");
    return LEAT_OK;
}

static int load_elf(const struct guest_memory *memory, const struct multiboot_boot *boot,
                    struct multiboot_image *image, const char **why)
{
    const uint8_t *k = boot->kernel;
    int error = check_elf(boot, why);
    if (error != LEAT_OK)
        return error;
    const uint8_t *p = k + get32(k + 28);
    uint32_t entry = get32(k + 24);
    image->entry = entry;
    for (unsigned i = 0; i < get16(k + 44); i++, p += ELF_PHDR_BYTES) {
        const struct segment s = {.offset = get32(p + 4),
                                  .size = get32(p + 16),
                                  .at = get32(p + 12),
                                  .memory = get32(p + 20)};
        if (get32(p) != ELF_LOAD || !s.memory)
            continue;
        error = load_segment(memory, boot, &s, image, why);
        if (error != LEAT_OK)
            return error;
        /* e_entry is a linear address; the segment says where that is in physical memory */
        uint32_t linear = get32(p + 8);
        if (entry >= linear && entry - linear < s.memory)
            image->entry = (uint32_t)s.at + (entry - linear);
    }
    return LEAT_OK;
}

int multiboot_load_image(const struct guest_memory *memory, const struct multiboot_boot *boot,
                         struct multiboot_image *image, const char **why)
{
    struct header header;
    int error = find_header(boot, &header, why);
    if (error != LEAT_OK)
        return error;
    *image = (struct multiboot_image){.low = UINT64_MAX};
    error = header.flags & FLAG_ADDRESSES ? load_flat(memory, boot, &header, image, why)
                                          : load_elf(memory, boot, image, why);
    if (error != LEAT_OK)
        return error;
    if (image->entry < image->low || image->entry >= image->end)
        return refuse(why, "the kernel's entry point lies outside of the kernel");
    return LEAT_OK;
}
