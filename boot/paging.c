// SPDX-License-Identifier: BSD-2-Clause
/*
 * The page tables that the kernel starts on (bootinfo.h): memory one to one in 2 MiB pages, the
 * kernel in 4 KiB pages with its segments' rights. Built before boot services are left, so that a
 * shortage can still be said.
 */
#include "boot/boot.h"

/* SDM vol. 3, 4.5, tables 4-15 to 4-20 */
#define PTE_PRESENT (1ull << 0)
#define PTE_WRITABLE (1ull << 1)
#define PTE_LARGE (1ull << 7)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define CR4_LA57 (1ull << 12)
#define HUGE_BYTES (1ull << 30) /* what one page directory maps */
#define TOP_BYTES (1ull << 47)  /* lower half of a 4-level address space */

static uint64_t *new_table(struct boot *boot)
{
    /* A run of tables is one allocation: the list of own allocations is short. */
    enum { RUN = 64 };
    static uint64_t *next;
    static unsigned left;
    if (left == 0) {
        next = boot_allocate(boot, RUN * LEAT_PAGE_SIZE, LEAT_PAGE_SIZE, LEAT_MEMORY_KERNEL,
                             "page tables");
        left = RUN;
    }
    uint64_t *table = next;
    next += 512;
    left--;
    return table;
}

static uint64_t *descend(struct boot *boot, uint64_t *table, unsigned index)
{
    if ((table[index] & PTE_PRESENT) == 0)
        table[index] = (uintptr_t)new_table(boot) | PTE_PRESENT | PTE_WRITABLE;
    return (uint64_t *)(uintptr_t)(table[index] & PTE_ADDRESS);
}

static uint64_t *directory_of(struct boot *boot, uint64_t va)
{
    uint64_t *root = (uint64_t *)(uintptr_t)boot->page_root;
    return descend(boot, descend(boot, root, va >> 39 & 511), va >> 30 & 511);
}

static void map_one_to_one(void *context, uint64_t base, uint64_t size, uint32_t type)
{
    (void)type;
    struct boot *boot = context;
    if (size == 0 || base >= TOP_BYTES || size > TOP_BYTES - base)
        return; /* no memory that this kernel could address */
    uint64_t address = base & ~(LEAT_LARGE_PAGE_SIZE - 1);
    while (address < base + size) {
        uint64_t *directory = directory_of(boot, address);
        do {
            directory[address >> 21 & 511] = address | PTE_PRESENT | PTE_WRITABLE | PTE_LARGE;
            address += LEAT_LARGE_PAGE_SIZE;
        } while (address < base + size && address % HUGE_BYTES != 0);
    }
}

static void map_segment(struct boot *boot, const struct leat_boot_segment *segment)
{
    uint64_t rights = PTE_PRESENT;
    if (segment->prot & LEAT_PROT_WRITE)
        rights |= PTE_WRITABLE;
    if ((segment->prot & LEAT_PROT_EXEC) == 0)
        rights |= PTE_NO_EXECUTE;
    for (uint64_t done = 0; done < segment->size; done += LEAT_PAGE_SIZE) {
        uint64_t va = segment->va + done;
        uint64_t *table = descend(boot, directory_of(boot, va), va >> 21 & 511);
        table[va >> 12 & 511] = (segment->hpa + done) | rights;
    }
}

void paging_build(struct boot *boot)
{
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    if (cr4 & CR4_LA57)
        say_fatal(boot,
                  "the firmware runs with 5-level paging; switch it off in the firmware's setup",
                  NULL);
    boot->page_root = (uintptr_t)new_table(boot);
    map_one_to_one(boot, 0, 4ull << 30, 0);
    memmap_each(boot, map_one_to_one, boot);
    for (uint32_t i = 0; i < boot->kernel.count; i++)
        map_segment(boot, &boot->kernel.segments[i]);
}
