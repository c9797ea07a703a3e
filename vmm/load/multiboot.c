// SPDX-License-Identifier: BSD-2-Clause
/* Sections named here are those of the Multiboot specification 0.6.96. */
#include "vmm/load/multiboot.h"

#include <stdio.h>
#include <string.h>

#include "vmm/layout.h"
#include "vmm/load/long_mode.h"
#include "vmm/load/multiboot_image.h"
#include "vmm/load/ram_map.h"

#define BOOTLOADER_MAGIC 0x2badb002u

/* 3.3: flags and fields of the information structure */
#define INFO_BYTES 116u
#define INFO_MEMORY (1u << 0)
#define INFO_CMDLINE (1u << 2)
#define INFO_MODULES (1u << 3)
#define INFO_MMAP (1u << 6)
#define INFO_LOADER_NAME (1u << 9)
enum { I_FLAGS = 0, I_MEM_LOWER = 4, I_MEM_UPPER = 8, I_CMDLINE = 16, I_MODS_COUNT = 20 };
enum { I_MODS_ADDR = 24, I_MMAP_LENGTH = 44, I_MMAP_ADDR = 48, I_LOADER_NAME = 64 };
#define MODULE_BYTES 16u
#define MMAP_BYTES 24u

/* The information lies low, where other loaders put it, unless the kernel does. */
#define LOW_PLACE 0x10000u
#define MAX_CMDLINE 2048u
#define MAX_NAME 64u

static const char loader_name[] = "Leat";

/* One block in guest memory: the structure, then what it points to. */
struct block {
    struct {
        uint8_t info[INFO_BYTES], padding[4];
        uint8_t mmap[RAM_MAP_RANGES * MMAP_BYTES];
        uint8_t modules[MULTIBOOT_MAX_MODULES * MODULE_BYTES];
        char names[MULTIBOOT_MAX_MODULES][MAX_NAME];
        char loader[8];
        char cmdline[MAX_CMDLINE];
    } bytes;
    uint32_t at; /* guest-physical */
};

static void put(uint8_t *to, uint64_t value, unsigned width)
{
    memcpy(to, &value, width);
}

static uint32_t address(const struct block *b, const void *field)
{
    return b->at + (uint32_t)((const uint8_t *)field - (const uint8_t *)&b->bytes);
}

static uint64_t page_up(uint64_t at)
{
    return (at + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
}

static int no_room(const char **why)
{
    *why = "the guest's memory is too small for the kernel's modules: give it more (memory=)";
    return LEAT_ENOMEM;
}

/* Behind the kernel, each at a page boundary, whether flag 0 asks for it or not. *top: behind the
 * last. */
static int load_modules(const struct guest_memory *memory, const struct multiboot_boot *boot,
                        struct block *b, uint64_t *top, const char **why)
{
    for (unsigned i = 0; i < boot->module_count; i++) {
        const struct multiboot_module *m = &boot->modules[i];
        uint64_t at = page_up(*top);
        if (m->size > LAYOUT_LOW_RAM_END || at > LAYOUT_LOW_RAM_END - m->size)
            return no_room(why);
        if (m->size && !guest_memory_at(memory, gpa(at), m->size))
            return no_room(why);
        if (m->size)
            guest_memory_write(memory, gpa(at), m->bytes, m->size);
        snprintf(b->bytes.names[i], MAX_NAME, "%s", m->name);
        uint8_t *entry = b->bytes.modules + i * MODULE_BYTES;
        put(entry, at, 4);
        put(entry + 4, at + m->size, 4); /* mod_end: the first byte behind it */
        *top = at + m->size;
    }
    return LEAT_OK;
}

static unsigned fill_map(const struct multiboot_boot *boot, struct block *b)
{
    struct ram_map_range ranges[RAM_MAP_RANGES];
    unsigned count = ram_map_build(boot->low_ram, boot->high_ram, ranges);
    for (unsigned i = 0; i < count; i++) {
        uint8_t *entry = b->bytes.mmap + i * MMAP_BYTES;
        put(entry, MMAP_BYTES - 4, 4); /* "size" does not count itself */
        put(entry + 4, ranges[i].base, 8);
        put(entry + 12, ranges[i].size, 8);
        put(entry + 20, ranges[i].type, 4);
    }
    return count * MMAP_BYTES;
}

static void fill_info(const struct multiboot_boot *boot, struct block *b)
{
    uint8_t *info = b->bytes.info;
    put(info + I_FLAGS, INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME,
        4);
    put(info + I_MEM_LOWER, RAM_MAP_LOW_TOP >> 10, 4); /* in KiB, both */
    put(info + I_MEM_UPPER, (boot->low_ram - LAYOUT_BIOS_END) >> 10, 4);
    put(info + I_CMDLINE, address(b, b->bytes.cmdline), 4);
    put(info + I_MODS_COUNT, boot->module_count, 4);
    put(info + I_MODS_ADDR, address(b, b->bytes.modules), 4);
    for (unsigned i = 0; i < boot->module_count; i++)
        put(b->bytes.modules + i * MODULE_BYTES + 8, address(b, b->bytes.names[i]), 4);
    put(info + I_MMAP_LENGTH, fill_map(boot, b), 4);
    put(info + I_MMAP_ADDR, address(b, b->bytes.mmap), 4);
    put(info + I_LOADER_NAME, address(b, b->bytes.loader), 4);
    memcpy(b->bytes.loader, loader_name, sizeof(loader_name));
    strcpy(b->bytes.cmdline, boot->cmdline);
}

int multiboot_load(const struct guest_memory *memory, const struct multiboot_boot *boot,
                   struct leat_vcpu *page, const char **why)
{
    struct multiboot_image image;
    struct block b = {0};
    if (strlen(boot->cmdline) >= MAX_CMDLINE || boot->module_count > MULTIBOOT_MAX_MODULES) {
        *why = "the kernel's command line is too long, or there are too many modules";
        return LEAT_EINVAL;
    }
    int error = multiboot_load_image(memory, boot, &image, why);
    uint64_t top = error == LEAT_OK && image.end > LAYOUT_BIOS_END ? image.end : LAYOUT_BIOS_END;
    if (error == LEAT_OK)
        error = load_modules(memory, boot, &b, &top, why);
    if (error != LEAT_OK)
        return error;
    bool is_low_free = image.low >= LOW_PLACE + sizeof(b.bytes) || image.end <= LOW_PLACE;
    b.at = is_low_free ? LOW_PLACE : (uint32_t)page_up(top); /* top is below 3 GiB */
    fill_info(boot, &b);
    if (!guest_memory_write(memory, gpa(b.at), &b.bytes, sizeof(b.bytes)))
        return no_room(why);
    protected_mode_setup(page);
    page->rip = image.entry;
    page->gpr[LEAT_RAX] = BOOTLOADER_MAGIC;
    page->gpr[LEAT_RBX] = b.at;
    return LEAT_OK;
}
