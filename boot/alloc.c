// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <string.h>

#include "lib/text.h"

static _Noreturn void too_little(struct boot *boot, uint64_t size, const char *what)
{
    char number[24];
    struct text text;
    text_begin(&text, number, sizeof(number));
    text_put_number(&text, (size + 1023) >> 10);
    say_fatal(boot, "too little memory: no ", number, " KiB free for ", what);
}

void *boot_allocate(struct boot *boot, uint64_t size, uint64_t align, uint32_t type,
                    const char *what)
{
    uint64_t bytes = (size + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    if (bytes == 0)
        bytes = LEAT_PAGE_SIZE;
    if (bytes < size || bytes > (1ull << 46) || boot->range_count == BOOT_MAX_RANGES)
        too_little(boot, size, what);

    /* UEFI aligns to 4 KiB only: take more, give the ends back. */
    uint64_t slack = align - LEAT_PAGE_SIZE;
    EFI_PHYSICAL_ADDRESS got = 0;
    if (EFI_ERROR(boot->services->AllocatePages(AllocateAnyPages, EfiLoaderData,
                                                (bytes + slack) / LEAT_PAGE_SIZE, &got)))
        too_little(boot, size, what);
    uint64_t base = (got + align - 1) & ~(align - 1);
    if (base > got)
        boot->services->FreePages(got, (base - got) / LEAT_PAGE_SIZE);
    uint64_t behind = got + slack - base;
    if (behind > 0)
        boot->services->FreePages(base + bytes, behind / LEAT_PAGE_SIZE);

    memset((void *)(uintptr_t)base, 0, bytes);
    boot->ranges[boot->range_count++] = (struct boot_range){base, bytes, type};
    return (void *)(uintptr_t)base;
}

void *boot_add_module(struct boot *boot, const char *name, enum leat_module_kind kind,
                      uint64_t size)
{
    struct leat_boot_info *info = boot->info;
    if (info->module_count == LEAT_BOOT_MAX_MODULES)
        say_fatal(boot, "more than 128 files to load; ", name, " is one too many");
    void *at = boot_allocate(boot, size, LEAT_PAGE_SIZE, LEAT_MEMORY_MODULE, name);
    struct leat_boot_module *module = &info->modules[info->module_count++];
    struct text text;
    text_begin(&text, module->name, sizeof(module->name));
    text_put(&text, name);
    module->kind = kind;
    module->base_hpa = (uintptr_t)at;
    module->size = size;
    return at;
}
