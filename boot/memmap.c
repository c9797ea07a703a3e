// SPDX-License-Identifier: BSD-2-Clause
#include "boot/boot.h"

#include <string.h>

#include "lib/text.h"

struct map {
    uint8_t *buffer;
    UINTN capacity, size, key, stride;
};

static uint32_t leat_type(uint32_t efi_type)
{
    switch (efi_type) {
    case EfiLoaderCode:
    case EfiLoaderData: /* own allocations are painted over this */
    case EfiBootServicesCode:
    case EfiBootServicesData:
    case EfiConventionalMemory:
        return LEAT_MEMORY_FREE;
    case EfiACPIReclaimMemory:
        return LEAT_MEMORY_ACPI;
    default:
        return LEAT_MEMORY_RESERVED;
    }
}

static EFI_STATUS read_map(struct boot *boot, struct map *map)
{
    UINT32 version;
    map->size = map->capacity;
    return boot->services->GetMemoryMap(&map->size, (EFI_MEMORY_DESCRIPTOR *)map->buffer, &map->key,
                                        &map->stride, &version);
}

static void allocate_map(struct boot *boot, struct map *map)
{
    memset(map, 0, sizeof(*map));
    map->stride = sizeof(EFI_MEMORY_DESCRIPTOR);
    read_map(boot, map);                          /* says how much it needs */
    map->capacity = map->size + 32 * map->stride; /* allocations and the exit itself split some */
    if (EFI_ERROR(
            boot->services->AllocatePool(EfiLoaderData, map->capacity, (void **)&map->buffer)) ||
        EFI_ERROR(read_map(boot, map)))
        say_fatal(boot, "the firmware gives no memory map");
}

static void walk(const struct map *map,
                 void (*fn)(void *context, uint64_t base, uint64_t size, uint32_t type),
                 void *context)
{
    for (UINTN at = 0; at + map->stride <= map->size; at += map->stride) {
        const EFI_MEMORY_DESCRIPTOR *piece = (const EFI_MEMORY_DESCRIPTOR *)(map->buffer + at);
        if (piece->NumberOfPages != 0 && piece->NumberOfPages <= UINT64_MAX >> 12)
            fn(context, piece->PhysicalStart, piece->NumberOfPages << 12, leat_type(piece->Type));
    }
}

void memmap_each(struct boot *boot,
                 void (*fn)(void *context, uint64_t base, uint64_t size, uint32_t type),
                 void *context)
{
    struct map map;
    allocate_map(boot, &map);
    walk(&map, fn, context);
    boot->services->FreePool(map.buffer);
}

static void count_free(void *context, uint64_t base, uint64_t size, uint32_t type)
{
    (void)base;
    if (type == LEAT_MEMORY_FREE)
        *(uint64_t *)context += size;
}

void memmap_require_free(struct boot *boot)
{
    uint64_t free_bytes = 0;
    memmap_each(boot, count_free, &free_bytes);
    for (unsigned i = 0; i < boot->range_count; i++)
        free_bytes -= boot->ranges[i].size;
    if (free_bytes >= BOOT_MIN_FREE)
        return;
    char line[80];
    struct text text;
    text_begin(&text, line, sizeof(line));
    text_put(text_put_number(text_put(&text, "only "), free_bytes >> 20), " MiB are free, ");
    text_put(text_put_number(&text, BOOT_MIN_FREE >> 20), " MiB are needed beside the VMs' own");
    say_fatal(boot, "too little memory: ", line);
}

/* The list being made: sorted, no overlaps, neighbours of one type joined. */
static bool list_insert(struct leat_boot_info *info, unsigned at, uint64_t base, uint64_t size,
                        uint32_t type)
{
    if (size == 0)
        return true;
    if (info->range_count == LEAT_BOOT_MAX_RANGES)
        return false;
    memmove(&info->ranges[at + 1], &info->ranges[at],
            (info->range_count - at) * sizeof(info->ranges[0]));
    info->ranges[at] = (struct leat_memory_range){base, size, type, 0};
    info->range_count++;
    return true;
}

static void list_remove(struct leat_boot_info *info, unsigned at)
{
    info->range_count--;
    memmove(&info->ranges[at], &info->ranges[at + 1],
            (info->range_count - at) * sizeof(info->ranges[0]));
}

static void join_neighbours(struct leat_boot_info *info)
{
    for (unsigned i = 1; i < info->range_count;) {
        struct leat_memory_range *before = &info->ranges[i - 1], *here = &info->ranges[i];
        if (before->type == here->type && before->base_hpa + before->size == here->base_hpa) {
            before->size += here->size;
            list_remove(info, i);
        } else {
            i++;
        }
    }
}

/* Puts [base, base + size) over whatever stands there. False: the list is full. */
static bool paint(struct leat_boot_info *info, uint64_t base, uint64_t size, uint32_t type)
{
    uint64_t end = base + size;
    unsigned at = 0;
    while (at < info->range_count && info->ranges[at].base_hpa + info->ranges[at].size <= base)
        at++;
    while (at < info->range_count && info->ranges[at].base_hpa < end) {
        struct leat_memory_range old = info->ranges[at];
        uint64_t old_end = old.base_hpa + old.size;
        list_remove(info, at);
        if (old.base_hpa < base) {
            list_insert(info, at, old.base_hpa, base - old.base_hpa,
                        old.type); /* in the room of old */
            at++;
        }
        if (old_end > end) {
            if (!list_insert(info, at, end, old_end - end, old.type))
                return false;
            break;
        }
    }
    return list_insert(info, at, base, size, type);
}

struct fill {
    struct leat_boot_info *info;
    bool ok;
};

static void fill_piece(void *context, uint64_t base, uint64_t size, uint32_t type)
{
    struct fill *fill = context;
    if (!fill->ok)
        return;
    fill->ok = paint(fill->info, base, size, type);
    join_neighbours(fill->info);
}

static bool fill_ranges(struct boot *boot, const struct map *map)
{
    struct fill fill = {boot->info, true};
    boot->info->range_count = 0;
    walk(map, fill_piece, &fill);
    for (unsigned i = 0; i < boot->range_count && fill.ok; i++)
        fill_piece(&fill, boot->ranges[i].base, boot->ranges[i].size, boot->ranges[i].type);
    fill_piece(&fill, 0, LEAT_PAGE_SIZE, LEAT_MEMORY_RESERVED); /* 0 means "none" in many a field */
    return fill.ok;
}

void memmap_exit(struct boot *boot)
{
    struct map map;
    allocate_map(boot, &map);
    if (!fill_ranges(boot, &map)) /* a rehearsal, while there is somebody to tell */
        say_fatal(boot, "the firmware's memory map has more than 256 pieces");

    /* UEFI 2.10, 7.4.6: the key is stale if anything has happened since; then only GetMemoryMap and
       ExitBootServices may still be called, and the map must be read again. */
    EFI_STATUS status = EFI_INVALID_PARAMETER;
    for (unsigned attempt = 0; attempt < 8 && EFI_ERROR(status); attempt++) {
        if (EFI_ERROR(read_map(boot, &map)))
            break;
        status = boot->services->ExitBootServices(boot->image, map.key);
    }
    __asm__ volatile("cli");
    if (EFI_ERROR(status) || !fill_ranges(boot, &map)) {
        say_serial("Leat cannot start: the firmware does not let go of the machine\r\n");
        for (;;)
            __asm__ volatile("hlt");
    }
    boot->info->tsc_at_exit = boot_rdtsc();
}
