// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <string.h>

extern const uint8_t bundle_start[], bundle_end[]; /* bundle.S */

static const struct leat_bundle *bundle(void)
{
    return (const struct leat_bundle *)bundle_start;
}

static _Noreturn void damaged(struct boot *boot, const char *what, const char *name)
{
    say_fatal(boot, "leat.efi is damaged (", what, name, "); write it to the boot medium again",
              NULL);
}

static uint32_t crc32(struct boot *boot, const void *bytes, uint64_t size)
{
    UINT32 crc = 0;
    if (size != 0) /* UEFI refuses an empty range */
        boot->services->CalculateCrc32((void *)(uintptr_t)bytes, size, &crc);
    return crc;
}

static uint32_t header_crc32(struct boot *boot, uint64_t bytes)
{
    /* The checksum field counts as zero: check a copy. */
    void *copy = NULL;
    if (EFI_ERROR(boot->services->AllocatePool(EfiLoaderData, bytes, &copy)))
        say_fatal(boot, "too little memory to check leat.efi");
    memcpy(copy, bundle_start, bytes);
    ((struct leat_bundle *)copy)->crc32 = 0;
    uint32_t crc = crc32(boot, copy, bytes);
    boot->services->FreePool(copy);
    return crc;
}

void bundle_check(struct boot *boot)
{
    const struct leat_bundle *b = bundle();
    uint64_t total = (uintptr_t)bundle_end - (uintptr_t)bundle_start;
    if (total < sizeof(*b) || b->magic != LEAT_BUNDLE_MAGIC || b->size != total)
        damaged(boot, "its bundle has no valid header", "");
    uint64_t header = sizeof(*b) + (uint64_t)b->count * sizeof(b->entries[0]);
    if (b->count > LEAT_BOOT_MAX_MODULES || header > total)
        damaged(boot, "its bundle has an impossible number of files", "");
    if (header_crc32(boot, header) != b->crc32)
        damaged(boot, "checksum of its bundle's header", "");
    bool kernel = false;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct leat_bundle_entry *entry = &b->entries[i];
        if (memchr(entry->name, '\0', sizeof(entry->name)) == NULL)
            damaged(boot, "name of a file", "");
        if (entry->offset % LEAT_PAGE_SIZE != 0 || entry->offset > total ||
            entry->size > total - entry->offset)
            damaged(boot, "place of the file ", entry->name);
        if (crc32(boot, bundle_start + entry->offset, entry->size) != entry->crc32)
            damaged(boot, "checksum of the file ", entry->name);
        kernel |= entry->kind == LEAT_BUNDLE_KERNEL;
    }
    if (!kernel)
        damaged(boot, "there is no kernel in it", "");
}

static bool is_supervisor(const struct leat_bundle_entry *entry)
{
    return entry->kind == LEAT_MODULE_SERVICE && strcmp(entry->name, "supervisor") == 0;
}

const uint8_t *bundle_kernel(uint64_t *size)
{
    const struct leat_bundle *b = bundle();
    uint32_t i = 0;
    while (b->entries[i].kind != LEAT_BUNDLE_KERNEL)
        i++;
    *size = b->entries[i].size;
    return bundle_start + b->entries[i].offset;
}

void bundle_load(struct boot *boot)
{
    const struct leat_bundle *b = bundle();
    for (uint32_t i = 0; i < b->count; i++) {
        const struct leat_bundle_entry *entry = &b->entries[i];
        if (entry->kind == LEAT_BUNDLE_KERNEL)
            continue;
        if (is_supervisor(entry)) {
            program_load_supervisor(boot, bundle_start + entry->offset, entry->size);
            continue;
        }
        void *at = boot_add_module(boot, entry->name, entry->kind, entry->size);
        memcpy(at, bundle_start + entry->offset, entry->size);
    }
    if (boot->info->supervisor.count == 0)
        damaged(boot, "there is no supervisor in it", "");
}
