// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/svm/insn.h"

#define CR0_PAGING (1ull << 31)
#define CR4_PSE_BIT (1ull << 4)
#define CR4_PAE_BIT (1ull << 5)
#define CR4_LA57_BIT (1ull << 12)
/* LME: with paging on it says the same as LMA, which emulators change before the exit */
#define EFER_LONG (1ull << 8)
#define ENTRY_PRESENT 1u
#define ENTRY_LARGE (1u << 7)
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define PAGE_OFFSET 0xfffull

static bool is_prefix(uint8_t byte, bool is_64)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return is_64 && (byte & 0xf0) == 0x40; /* REX */
    }
}

static bool has_modrm(uint16_t opcode)
{
    return opcode == INSN_GROUP_7 || (opcode & 0xfffc) == INSN_MOV_FROM_CR;
}

bool svm_insn_parse(const uint8_t *bytes, unsigned count, bool is_64, struct svm_insn *insn)
{
    unsigned at = 0;
    uint8_t rex = 0;
    *insn = (struct svm_insn){0};
    while (at < count && is_prefix(bytes[at], is_64)) {
        rex = is_64 && (bytes[at] & 0xf0) == 0x40 ? bytes[at]
                                                  : 0; /* counts right before the opcode */
        at++;
    }
    if (at < count)
        insn->opcode = bytes[at++];
    if (insn->opcode == 0x0f && at < count)
        insn->opcode = (uint16_t)(0x0f00 | bytes[at++]);
    if (insn->opcode <= 0x0f || (has_modrm(insn->opcode) && at == count))
        return false;
    if (has_modrm(insn->opcode)) {
        uint8_t modrm = bytes[at++];
        insn->is_register = modrm >= 0xc0 || insn->opcode != INSN_GROUP_7;
        insn->reg = modrm >> 3 & 7;
        insn->rm = (uint8_t)((modrm & 7) | (rex & 1) << 3);
    }
    insn->length = (uint8_t)at;
    return true;
}

/* One entry of the guest's page tables, aligned to its size: it crosses no page. */
static uint64_t read_entry(const struct svm_paging *p, uint64_t at, unsigned bytes)
{
    uint64_t entry = 0;
    const uint8_t *page = svm_guest_page(p->memory, at & ~PAGE_OFFSET);
    if (page)
        __builtin_memcpy(&entry, page + (at & PAGE_OFFSET), bytes);
    return entry;
}

/* AMD APM vol. 2, 5.2 and 5.3. Rights do not matter: the CPU has executed what is there. */
static bool translate(const struct svm_paging *p, uint64_t linear, uint64_t *at_gpa)
{
    bool is_long = p->efer & EFER_LONG, is_pae = p->cr4 & CR4_PAE_BIT;
    unsigned long_levels = p->cr4 & CR4_LA57_BIT ? 5 : 4;
    unsigned levels = is_long ? long_levels : is_pae ? 3 : 2, bits = is_pae ? 9 : 10;
    uint64_t address = is_pae ? ENTRY_ADDRESS : 0xfffff000;
    uint64_t table = p->cr3 & (is_long ? address : is_pae ? 0xffffffe0 : 0xfffff000);
    *at_gpa = linear;
    if (!(p->cr0 & CR0_PAGING))
        return true;
    for (unsigned level = levels; level; level--) {
        unsigned shift = 12 + bits * (level - 1), bytes = is_pae ? 8 : 4;
        uint64_t index = linear >> shift & ((1u << bits) - 1), offset = (1ull << shift) - 1;
        uint64_t entry = read_entry(p, table + index * bytes, bytes);
        bool may_be_large = level == 2 ? is_pae || (p->cr4 & CR4_PSE_BIT) : level == 3 && is_long;
        if (!(entry & ENTRY_PRESENT))
            return false;
        if (level == 1 || (may_be_large && (entry & ENTRY_LARGE))) {
            *at_gpa = (entry & address & ~offset) | (linear & offset);
            return true;
        }
        table = entry & address;
    }
    return false;
}

unsigned svm_guest_read(const struct svm_paging *p, uint64_t linear, uint8_t *to, unsigned count)
{
    const uint8_t *page = NULL;
    for (unsigned i = 0; i < count; i++, linear++) {
        if (i == 0 || !(linear & PAGE_OFFSET)) {
            uint64_t at;
            page = translate(p, linear, &at) ? svm_guest_page(p->memory, at & ~PAGE_OFFSET) : NULL;
        }
        if (!page)
            return i;
        to[i] = *(const volatile uint8_t *)&page[linear & PAGE_OFFSET];
    }
    return count;
}
