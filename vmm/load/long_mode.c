// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/load/long_mode.h"

#include <string.h>

#define TABLES 0x70000ull /* PML4, PDPT, four page directories, GDT: a page each */
#define TABLE_PAGES 7
#define GDT (TABLES + 6 * LEAT_PAGE_SIZE)
#define CODE_SELECTOR 0x10
#define DATA_SELECTOR 0x18
#define GIGABYTES 4

#define PTE_TABLE 0x3ull /* present, writable */
#define PTE_LARGE 0x83ull

#define CR0_START 0x80050033ull /* PG, AM, WP, NE, ET, MP, PE */
#define CR0_START_32 0x33ull    /* NE, ET, MP, PE */
#define CR4_START 0x20ull       /* PAE */
#define EFER_START 0x500ull     /* LMA, LME */

/* Access rights: SDM vol. 3, table 25-2 */
#define ACCESS_CODE64 0xa09bu
#define ACCESS_CODE32 0xc09bu
#define ACCESS_DATA 0xc093u
#define ACCESS_TSS 0x8bu
#define ACCESS_UNUSABLE 0x10000u

static void fill_tables(uint64_t (*tables)[512])
{
    memset(tables, 0, TABLE_PAGES * LEAT_PAGE_SIZE);
    tables[0][0] = (TABLES + LEAT_PAGE_SIZE) | PTE_TABLE;
    for (unsigned g = 0; g < GIGABYTES; g++) {
        tables[1][g] = (TABLES + (2 + g) * LEAT_PAGE_SIZE) | PTE_TABLE;
        for (unsigned i = 0; i < 512; i++)
            tables[2 + g][i] = ((uint64_t)g << 30 | (uint64_t)i << 21) | PTE_LARGE;
    }
    tables[6][CODE_SELECTOR / 8] = 0x00af9b000000ffff;
    tables[6][DATA_SELECTOR / 8] = 0x00cf93000000ffff;
}

static struct leat_segment flat(uint16_t selector, uint32_t access)
{
    return (struct leat_segment){.selector = selector, .access = access, .limit = UINT32_MAX};
}

/* What both modes have in common: flat segments, interrupts off, all else zero. */
static void flat_setup(struct leat_vcpu *page, uint32_t code_access)
{
    memset(page->gpr, 0, sizeof(page->gpr));
    page->rflags = 2;
    page->interruptibility = 0;
    page->halted = 0;
    page->cr2 = 0;
    for (unsigned i = LEAT_ES; i <= LEAT_GS; i++)
        page->seg[i] = flat(DATA_SELECTOR, ACCESS_DATA);
    page->seg[LEAT_CS] = flat(CODE_SELECTOR, code_access);
    page->seg[LEAT_LDTR] = (struct leat_segment){.access = ACCESS_UNUSABLE};
    page->seg[LEAT_TR] = (struct leat_segment){.access = ACCESS_TSS, .limit = 0x67};
    page->seg[LEAT_GDTR] = (struct leat_segment){0};
    page->seg[LEAT_IDTR] = (struct leat_segment){0};
    page->dirty = LEAT_VCPU_ALL;
}

bool long_mode_setup(const struct guest_memory *memory, struct leat_vcpu *page)
{
    void *tables = guest_memory_at(memory, gpa(TABLES), TABLE_PAGES * LEAT_PAGE_SIZE);
    if (!tables)
        return false;
    fill_tables(tables);
    flat_setup(page, ACCESS_CODE64);
    page->cr0 = CR0_START;
    page->cr3 = TABLES;
    page->cr4 = CR4_START;
    page->efer = EFER_START;
    page->seg[LEAT_GDTR] = (struct leat_segment){.base = GDT, .limit = DATA_SELECTOR + 7};
    return true;
}

void protected_mode_setup(struct leat_vcpu *page)
{
    flat_setup(page, ACCESS_CODE32);
    page->cr0 = CR0_START_32;
    page->cr3 = 0;
    page->cr4 = 0;
    page->efer = 0;
}
