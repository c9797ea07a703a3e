// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/load/linux.h"

#include <string.h>

#include "vmm/layout.h"
#include "vmm/load/long_mode.h"
#include "vmm/load/ram_map.h"

/* Where boot data lies in the guest, all below 640 KiB. */
#define ZERO_PAGE 0x10000ull
#define CMDLINE 0x20000ull
#define CMDLINE_MAX 0x10000ull
#define GDT_32 0x70000ull

/* Offsets in the image's first sectors and in the zero page: boot.rst, "The Real-Mode Kernel
 * Header" */
#define H_SETUP_SECTORS 0x1f1
#define H_BOOT_FLAG 0x1fe
#define H_JUMP 0x200
#define H_MAGIC 0x202
#define H_VERSION 0x206
#define H_LOADER 0x210
#define H_LOAD_FLAGS 0x211
#define H_INITRD_AT 0x218
#define H_INITRD_SIZE 0x21c
#define H_HEAP_END 0x224
#define H_CMDLINE_AT 0x228
#define H_INITRD_MAX 0x22c
#define H_ALIGNMENT 0x230
#define H_RELOCATABLE 0x234
#define H_XLOAD_FLAGS 0x236
#define H_CMDLINE_SIZE 0x238
#define H_PREF_ADDRESS 0x258
#define H_INIT_SIZE 0x260
#define H_END 0x268 /* behind init_size: protocol 2.10 and up */
#define Z_RSDP 0x70
#define Z_E820_COUNT 0x1e8
#define Z_E820 0x2d0

#define BOOT_FLAG 0xaa55
#define MAGIC 0x53726448 /* "HdrS" */
#define VERSION_INIT_SIZE 0x20a
#define VERSION_XLOAD 0x20c
#define VERSION_RSDP 0x20e
#define LOADED_HIGH 1
#define CAN_USE_HEAP 0x80
#define XLF_KERNEL_64 1
#define LOADER_UNDEFINED 0xff
#define ENTRY_64 0x200
#define SECTOR 512ull

struct image { /* what of the header counts, checked */
    const uint8_t *bytes;
    uint64_t setup_size, payload_size, load_at, init_size;
    uint32_t initrd_max, cmdline_max;
    unsigned header_end;
    uint16_t version;
    bool is_64; /* has the 64-bit entry */
};

static uint64_t get(const uint8_t *bytes, unsigned offset, unsigned width)
{
    uint64_t v = 0;
    memcpy(&v, bytes + offset, width);
    return v;
}

static void put(uint8_t *bytes, unsigned offset, unsigned width, uint64_t value)
{
    memcpy(bytes + offset, &value, width);
}

static int refuse(const char **why, const char *text, int error)
{
    *why = text;
    return error;
}

static int check_image(const struct linux_boot *boot, struct image *image, const char **why)
{
    const uint8_t *k = boot->kernel;
    if (!k || boot->kernel_size < H_END)
        return refuse(why, "the kernel file is too short to be a bzImage", LEAT_EINVAL);
    if (get(k, H_BOOT_FLAG, 2) != BOOT_FLAG || get(k, H_MAGIC, 4) != MAGIC)
        return refuse(why, "the kernel file is not a Linux bzImage", LEAT_EINVAL);
    image->bytes = k;
    image->version = (uint16_t)get(k, H_VERSION, 2);
    if (image->version < VERSION_INIT_SIZE || !(get(k, H_LOAD_FLAGS, 1) & LOADED_HIGH))
        return refuse(why, "the kernel is too old (a bzImage of Linux 2.6.35 or later is needed)",
                      LEAT_EINVAL);
    image->is_64 = image->version >= VERSION_XLOAD && (get(k, H_XLOAD_FLAGS, 2) & XLF_KERNEL_64);
    uint64_t sectors = get(k, H_SETUP_SECTORS, 1);
    image->setup_size = ((sectors ? sectors : 4) + 1) * SECTOR;
    if (image->setup_size + ENTRY_64 >= boot->kernel_size)
        return refuse(why, "the kernel file is cut off: it ends before the kernel proper",
                      LEAT_EINVAL);
    image->payload_size = boot->kernel_size - image->setup_size;
    image->header_end = H_JUMP + 2 + (unsigned)get(k, H_JUMP + 1, 1);
    if (image->header_end < H_END || image->header_end > Z_E820)
        return refuse(why, "the kernel's setup header has an impossible length", LEAT_EINVAL);
    image->initrd_max = (uint32_t)get(k, H_INITRD_MAX, 4);
    image->cmdline_max = (uint32_t)get(k, H_CMDLINE_SIZE, 4);
    image->load_at = get(k, H_PREF_ADDRESS, 8);
    image->init_size = get(k, H_INIT_SIZE, 4);
    if (image->init_size < image->payload_size)
        image->init_size = image->payload_size;
    return LEAT_OK;
}

/* Where the kernel goes: its preferred address, or the start of memory when it can be moved. */
static int place_kernel(const struct guest_memory *memory, struct image *image, const char **why)
{
    const uint64_t lowest = 0x100000;
    uint64_t align = get(image->bytes, H_ALIGNMENT, 4);
    bool is_relocatable = get(image->bytes, H_RELOCATABLE, 1);
    if (image->load_at >= lowest && image->load_at < LAYOUT_LOW_RAM_END &&
        guest_memory_at(memory, gpa(image->load_at), image->init_size))
        return LEAT_OK;
    if (is_relocatable && align && align <= LAYOUT_LOW_RAM_END && !(align & (align - 1))) {
        image->load_at = align > lowest ? align : lowest;
        if (guest_memory_at(memory, gpa(image->load_at), image->init_size))
            return LEAT_OK;
    }
    return refuse(why, "the guest's memory is too small for the kernel: give it more (memory=)",
                  LEAT_ENOMEM);
}

static int load_initrd(const struct guest_memory *memory, const struct linux_boot *boot,
                       const struct image *image, uint64_t *at, const char **why)
{
    uint64_t top = boot->low_ram < LAYOUT_LOW_RAM_END ? boot->low_ram : LAYOUT_LOW_RAM_END;
    uint64_t kernel_end = image->load_at + image->init_size;
    *at = 0;
    if (!boot->initrd || !boot->initrd_size)
        return LEAT_OK;
    if (top > (uint64_t)image->initrd_max + 1)
        top = (uint64_t)image->initrd_max + 1;
    if (boot->initrd_size > UINT32_MAX || top < boot->initrd_size)
        return refuse(why, "the guest's memory is too small for the initrd: give it more (memory=)",
                      LEAT_ENOMEM);
    *at = (top - boot->initrd_size) & ~(LEAT_PAGE_SIZE - 1);
    if (*at < kernel_end || !guest_memory_write(memory, gpa(*at), boot->initrd, boot->initrd_size))
        return refuse(why, "the guest's memory is too small for the initrd: give it more (memory=)",
                      LEAT_ENOMEM);
    return LEAT_OK;
}

static void fill_map(uint8_t *zero_page, const struct linux_boot *boot)
{
    struct ram_map_range ranges[RAM_MAP_RANGES];
    unsigned count = ram_map_build(boot->low_ram, boot->high_ram, ranges);
    for (unsigned i = 0; i < count; i++) {
        put(zero_page, Z_E820 + i * 20, 8, ranges[i].base);
        put(zero_page, Z_E820 + i * 20 + 8, 8, ranges[i].size);
        put(zero_page, Z_E820 + i * 20 + 16, 4, ranges[i].type);
    }
    zero_page[Z_E820_COUNT] = (uint8_t)count;
}

static void fill_zero_page(uint8_t *z, const struct linux_boot *boot, const struct image *image,
                           uint64_t initrd_at)
{
    memset(z, 0, LEAT_PAGE_SIZE);
    memcpy(z + H_SETUP_SECTORS, image->bytes + H_SETUP_SECTORS,
           image->header_end - H_SETUP_SECTORS);
    put(z, H_LOADER, 1, LOADER_UNDEFINED);
    put(z, H_LOAD_FLAGS, 1, get(z, H_LOAD_FLAGS, 1) | CAN_USE_HEAP);
    put(z, H_HEAP_END, 2, 0xfe00);
    put(z, H_CMDLINE_AT, 4, CMDLINE);
    put(z, H_INITRD_AT, 4, initrd_at);
    put(z, H_INITRD_SIZE, 4, initrd_at ? boot->initrd_size : 0);
    if (image->version >= VERSION_RSDP)
        put(z, Z_RSDP, 8, boot->rsdp.raw);
    fill_map(z, boot);
}

/* The 32-bit protocol wants a GDT with the selectors that the segments have. */
static bool protected_mode_start(const struct guest_memory *memory, struct leat_vcpu *page)
{
    static const uint64_t gdt[4] = {0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
    protected_mode_setup(page);
    page->seg[LEAT_GDTR] = (struct leat_segment){.base = GDT_32, .limit = sizeof(gdt) - 1};
    return guest_memory_write(memory, gpa(GDT_32), gdt, sizeof(gdt));
}

int linux_load(const struct guest_memory *memory, const struct linux_boot *boot,
               struct leat_vcpu *page, const char **why)
{
    struct image image;
    uint64_t initrd_at;
    int error = check_image(boot, &image, why);
    if (error == LEAT_OK)
        error = place_kernel(memory, &image, why);
    if (error == LEAT_OK)
        error = load_initrd(memory, boot, &image, &initrd_at, why);
    if (error != LEAT_OK)
        return error;

    size_t length = strlen(boot->cmdline) + 1;
    uint64_t most = image.cmdline_max && image.cmdline_max < CMDLINE_MAX ? image.cmdline_max + 1ull
                                                                         : CMDLINE_MAX;
    if (length > most)
        return refuse(why, "the kernel's command line is longer than the kernel takes",
                      LEAT_EINVAL);
    uint8_t *zero_page = guest_memory_at(memory, gpa(ZERO_PAGE), LEAT_PAGE_SIZE);
    if (!zero_page || !guest_memory_write(memory, gpa(CMDLINE), boot->cmdline, length) ||
        !guest_memory_write(memory, gpa(image.load_at), image.bytes + image.setup_size,
                            image.payload_size) ||
        !(image.is_64 ? long_mode_setup : protected_mode_start)(memory, page))
        return refuse(why, "the guest has no memory below 640 KiB", LEAT_ENOMEM);
    fill_zero_page(zero_page, boot, &image, initrd_at);
    page->rip = image.load_at + (image.is_64 ? ENTRY_64 : 0);
    page->gpr[LEAT_RSI] = ZERO_PAGE;
    return LEAT_OK;
}
