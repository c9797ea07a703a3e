// SPDX-License-Identifier: BSD-2-Clause
/* The kernel's own page tables, made once at start, and those of domains, which share the upper half. */
#include "arch/x86_64/paging.h"
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/assert.h"
#include "kernel/frame.h"
#include "kernel/info.h"
#include "kernel/log.h"
#include "kernel/percpu.h"
#include "kernel/quota.h"
#include "kernel/smp.h"

#define ENTRIES 512u
#define KERNEL_HALF 256u
#define RESERVED_LOW (1ull << 20) /* legacy memory, and room for the start of other CPUs */

extern uint8_t image_start[], rodata_start[], data_start[], image_end[];

static struct {
    uint64_t root;         /* raw hpa; only the upper half is used */
    uint64_t table_window; /* where tables are seen: 0 on boot's page tables, then the direct map */
    uint64_t early, early_start, early_end; /* memory for the first tables; early_end 0: over */
    uint64_t image_hpa;
    uint64_t mmio[16]; /* pages of device memory, as they are mapped from WINDOW_BASE on */
    unsigned mmio_count;
} kernel_map;

void paging_load_kernel(void)
{
    this_cpu()->loaded_root = kernel_map.root;
    write_cr3(kernel_map.root);
}

hpa_t kernel_to_phys(const void *in_image)
{
    KASSERT((const uint8_t *)in_image >= image_start && (const uint8_t *)in_image < image_end);
    return hpa((uint64_t)in_image - (uint64_t)image_start + kernel_map.image_hpa);
}

static uint64_t *table_at(uint64_t table_hpa)
{
    return (uint64_t *)(kernel_map.table_window + (table_hpa & PTE_ADDRESS));
}

static uint64_t early_alloc(uint64_t bytes)
{
    uint64_t at = kernel_map.early;
    if (bytes > kernel_map.early_end - at)
        panic("not enough memory in one piece for page tables");
    kernel_map.early += bytes;
    __builtin_memset((void *)at, 0, bytes);
    return at;
}

static uint64_t table_new(struct quota *quota)
{
    if (kernel_map.early_end)
        return early_alloc(LEAT_PAGE_SIZE);
    if (quota && quota_charge(quota, 1) != LEAT_OK)
        return 0;
    hpa_t table = frame_alloc(FRAME_ORDER_4K, FRAME_ZERO);
    if (!table.raw && quota)
        quota_uncharge(quota, 1);
    return table.raw;
}

static unsigned index_at(uint64_t va, unsigned level)
{
    return va >> (12 + 9 * level) & (ENTRIES - 1);
}

/* The entry for va at that level (0: 4 KiB, 1: 2 MiB, 2: 1 GiB). Missing tables are made with those
   flags; flags 0: NULL instead. NULL also when a larger page is in the way, or no memory. */
static uint64_t *entry_for(uint64_t root, uint64_t va, unsigned level, uint64_t flags,
                           struct quota *quota)
{
    uint64_t *table = table_at(root);
    for (unsigned l = 3; l > level; l--) {
        uint64_t *entry = &table[index_at(va, l)];
        if (!(*entry & PTE_PRESENT)) {
            uint64_t made = flags ? table_new(quota) : 0;
            if (!made)
                return NULL;
            *entry = made | flags;
        } else if (*entry & PTE_PS) {
            return NULL;
        }
        table = table_at(*entry);
    }
    return &table[index_at(va, level)];
}

/* -- the kernel's -- */

bool paging_map_kernel(uint64_t va, hpa_t page, uint64_t flags)
{
    uint64_t *entry = entry_for(kernel_map.root, va, 0, PTE_PRESENT | PTE_WRITE, NULL);
    if (!entry)
        return false;
    KASSERT(!(*entry & PTE_PRESENT));
    *entry = page.raw | flags | PTE_PRESENT | PTE_GLOBAL;
    return true;
}

bool paging_is_mapped(uint64_t kernel_va)
{
    for (unsigned level = 0; level < 3; level++) {
        const uint64_t *entry = entry_for(kernel_map.root, kernel_va, level, 0, NULL);
        if (entry)
            return *entry & PTE_PRESENT;
    }
    return false;
}

static void map_direct(uint64_t start, uint64_t end, uint64_t flags)
{
    for (uint64_t at = start; at < end;) {
        unsigned level = cpu_features.pages_1g ? 2 : 1;
        while (level &&
               ((at & ((1ull << (12 + 9 * level)) - 1)) || end - at < 1ull << (12 + 9 * level)))
            level--;
        uint64_t *entry =
            entry_for(kernel_map.root, DIRECT_MAP_BASE + at, level, PTE_PRESENT | PTE_WRITE, NULL);
        KASSERT(entry && !*entry);
        *entry = at | flags | PTE_PRESENT | PTE_GLOBAL | PTE_NX | (level ? PTE_PS : 0);
        at += 1ull << (12 + 9 * level);
    }
}

static void map_image(const uint8_t *start, const uint8_t *end, uint64_t flags)
{
    for (const uint8_t *at = start; at < end; at += LEAT_PAGE_SIZE)
        if (!paging_map_kernel((uint64_t)at, kernel_to_phys(at), flags))
            panic("kernel image: cannot map it");
}

static bool is_ram(uint32_t type)
{
    return type == LEAT_MEMORY_FREE || type == LEAT_MEMORY_BOOT;
}

static void find_early_memory(const struct leat_boot_info *info)
{
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct leat_memory_range *r = &info->ranges[i];
        uint64_t start = r->base_hpa < RESERVED_LOW ? RESERVED_LOW : r->base_hpa;
        uint64_t end = r->base_hpa + r->size;
        if (r->type != LEAT_MEMORY_FREE || end <= start ||
            end - start <= kernel_map.early_end - kernel_map.early)
            continue;
        kernel_map.early = kernel_map.early_start = start;
        kernel_map.early_end = end;
    }
}

/* Gives a range to the frame pool, but for what the first tables took out of it. */
static void add_frames(uint64_t start, uint64_t end)
{
    if (start < RESERVED_LOW)
        start = RESERVED_LOW;
    if (start == kernel_map.early_start)
        start = kernel_map.early;
    if (start < end)
        frame_pool_add(&frames, hpa(start), end - start);
}

void arch_init_tables(const struct leat_boot_info *info)
{
    uint64_t ram_end = 0, kernel_bytes = 0;
    cpu_detect(&cpu_features);
    kernel_map.image_hpa = info->kernel_base_hpa;
    find_early_memory(info);
    kernel_map.root = table_new(NULL);
    /* Every domain copies the top-level entries of the upper half: those that may be used later must be
       there. */
    if (!entry_for(kernel_map.root, WINDOW_BASE, 2, PTE_PRESENT | PTE_WRITE, NULL))
        panic("no memory for page tables");
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct leat_memory_range *r = &info->ranges[i];
        uint64_t end = r->base_hpa + r->size;
        if (end > arch_phys_end())
            continue;
        if (is_ram(r->type)) {
            map_direct(r->base_hpa, end, PTE_WRITE);
            ram_end = end;
        } else if (r->type == LEAT_MEMORY_MODULE) {
            map_direct(r->base_hpa, end, 0);
        } else if (r->type == LEAT_MEMORY_KERNEL) {
            kernel_bytes += r->size; /* reached through the image only: text stays read-only */
        }
    }
    map_image(image_start, rodata_start, 0);
    map_image(rodata_start, data_start, PTE_NX);
    map_image(data_start, image_end, PTE_WRITE | PTE_NX);
    uint64_t books = early_alloc((frame_pool_bytes(ram_end / LEAT_PAGE_SIZE) + LEAT_PAGE_SIZE - 1) &
                                 ~(LEAT_PAGE_SIZE - 1));
    kernel_map.early_end = 0;
    memory_kernel_add(kernel_bytes + kernel_map.early - kernel_map.early_start);

    cpu_enable();
    paging_load_kernel();
    write_cr4(read_cr4() | CR4_PGE);
    kernel_map.table_window = DIRECT_MAP_BASE;
    frame_pool_init(&frames, phys_to_ptr(hpa(books)), ram_end / LEAT_PAGE_SIZE,
                    phys_to_ptr(hpa(0)));
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct leat_memory_range *r = &info->ranges[i];
        if (is_ram(r->type) && r->base_hpa + r->size <= arch_phys_end())
            add_frames(r->base_hpa, r->base_hpa + r->size);
    }
}

volatile void *arch_map_mmio(hpa_t page)
{
    for (unsigned i = 0; i < kernel_map.mmio_count; i++)
        if (kernel_map.mmio[i] == page.raw)
            return (volatile void *)(WINDOW_BASE + i * LEAT_PAGE_SIZE);
    uint64_t va = WINDOW_BASE + kernel_map.mmio_count * LEAT_PAGE_SIZE;
    if (kernel_map.mmio_count == sizeof(kernel_map.mmio) / sizeof(kernel_map.mmio[0]) ||
        page.raw >= arch_phys_end() || !paging_map_kernel(va, page, PTE_WRITE | PTE_UC | PTE_NX))
        return NULL;
    kernel_map.mmio[kernel_map.mmio_count++] = page.raw;
    return (volatile void *)va;
}

bool arch_owns_mmio(hpa_t base, uint64_t size)
{
    for (unsigned i = 0; i < kernel_map.mmio_count; i++)
        if (kernel_map.mmio[i] - base.raw < size)
            return true;
    return false;
}

/* -- domains' -- */

#define USER_TABLE (PTE_PRESENT | PTE_WRITE | PTE_USER)

int arch_space_init(struct arch_space *space, struct quota *quota)
{
    uint64_t root = table_new(quota);
    if (!root)
        return LEAT_ENOMEM;
    __builtin_memcpy(table_at(root) + KERNEL_HALF, table_at(kernel_map.root) + KERNEL_HALF,
                     KERNEL_HALF * sizeof(uint64_t));
    space->root = root;
    space->quota = quota;
    /* The info page is not a mapping of the domain's own: nothing can unmap it. */
    uint64_t *info = entry_for(root, LEAT_INFO_VA, 0, USER_TABLE, quota);
    if (!info) {
        arch_space_destroy(space);
        return LEAT_ENOMEM;
    }
    *info = kernel_to_phys(&kernel_info).raw | PTE_PRESENT | PTE_USER | PTE_NX;
    return LEAT_OK;
}

static void free_table(struct arch_space *space, uint64_t table)
{
    frame_free(hpa(table & PTE_ADDRESS), FRAME_ORDER_4K);
    quota_uncharge(space->quota, 1);
}

/* Frees the tables below; a table of 4 KiB pages (level 0) has none. */
static void free_tables_below(struct arch_space *space, uint64_t table, unsigned level,
                              unsigned count)
{
    const uint64_t *entries = table_at(table);
    for (unsigned i = 0; i < count; i++) {
        if (!(entries[i] & PTE_PRESENT) || (entries[i] & PTE_PS))
            continue;
        if (level > 1)
            free_tables_below(space, entries[i], level - 1, ENTRIES);
        free_table(space, entries[i]);
    }
}

static uint64_t cpus_with(uint64_t root)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < cpu_count; i++)
        mask |= (uint64_t)(cpus[i].loaded_root == root) << i;
    return mask;
}

static void leave_space(void *unused)
{
    (void)unused;
    paging_load_kernel();
}

static void reload_space(void *unused)
{
    (void)unused;
    write_cr3(this_cpu()->loaded_root);
}

void arch_space_flush(const struct arch_space *space)
{
    /* CPUs with other address spaces have flushed this one as a whole when they left it. */
    smp_call(cpus_with(space->root), reload_space, NULL);
}

void arch_space_destroy(struct arch_space *space)
{
    uint64_t root = space->root;
    smp_call(cpus_with(root), leave_space, NULL);
    space->root = 0; /* see arch_switch */
    free_tables_below(space, root, 3, KERNEL_HALF);
    free_table(space, root);
}

/* A large page may come where an empty table is left over. */
static void drop_empty_table(struct arch_space *space, uint64_t *entry)
{
    const uint64_t *table = table_at(*entry);
    for (unsigned i = 0; i < ENTRIES; i++)
        if (table[i] & PTE_PRESENT)
            return;
    uint64_t unused = *entry;
    *entry = 0;
    arch_space_flush(space);
    free_table(space, unused);
}

int arch_space_map(struct arch_space *space, uint64_t va, hpa_t page, unsigned page_shift,
                   uint32_t prot, uint32_t cache)
{
    unsigned level = page_shift == 21 ? 1 : 0;
    uint64_t *entry = entry_for(space->root, va, level, USER_TABLE, space->quota);
    if (!entry)
        return LEAT_ENOMEM;
    if (level && (*entry & PTE_PRESENT) && !(*entry & PTE_PS))
        drop_empty_table(space, entry);
    KASSERT(!(*entry & PTE_PRESENT));
    *entry = page.raw | PTE_PRESENT | PTE_USER | (level ? PTE_PS : 0) |
             (prot & LEAT_PROT_WRITE ? PTE_WRITE : 0) | (prot & LEAT_PROT_EXEC ? 0 : PTE_NX) |
             (cache == LEAT_CACHE_UC   ? PTE_UC
              : cache == LEAT_CACHE_WC ? PTE_WC
                                       : 0);
    return LEAT_OK;
}

unsigned arch_space_unmap(struct arch_space *space, uint64_t va)
{
    unsigned shift = 21;
    uint64_t *entry = entry_for(space->root, va, 1, 0, NULL);
    if (!entry || !(*entry & PTE_PRESENT))
        return 0;
    if (!(*entry & PTE_PS)) {
        shift = 12;
        entry = entry_for(space->root, va, 0, 0, NULL);
        if (!entry || !(*entry & PTE_PRESENT))
            return 0;
    }
    *entry = 0;
    return shift;
}
