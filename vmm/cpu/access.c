// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/access.h"

#include <string.h>

#define EFER_LMA (1ull << 10)
#define CR4_LA57 (1ull << 12)
#define ACCESS_L (1u << 13) /* of a code segment: SDM vol. 3, table 25-2 */
#define ACCESS_DB (1u << 14)

enum insn_code_size access_code_size(const struct leat_vcpu *page)
{
    uint32_t cs = page->seg[LEAT_CS].access;
    if ((page->efer & EFER_LMA) && (cs & ACCESS_L))
        return INSN_CODE_64;
    return cs & ACCESS_DB ? INSN_CODE_32 : INSN_CODE_16;
}

struct walk_mode access_mode(const struct leat_vcpu *page)
{
    return (struct walk_mode){
        .cr0 = page->cr0,
        .cr3 = page->cr3,
        .cr4 = page->cr4,
        .efer = page->efer,
        .rflags = page->rflags,
        .is_user = (page->seg[LEAT_SS].access >> 5 & 3) == 3, /* SS.DPL is the CPL */
    };
}

static uint64_t linear_rip(const struct leat_vcpu *page)
{
    if (access_code_size(page) == INSN_CODE_64)
        return page->rip;
    return (uint32_t)(page->seg[LEAT_CS].base + page->rip);
}

unsigned access_fetch(struct vcpu *cpu, uint8_t bytes[16])
{
    struct walk_mode mode = access_mode(cpu->page);
    uint64_t at = linear_rip(cpu->page);
    unsigned count = 0;
    memset(bytes, 0, 16);
    while (count < INSN_MAX_BYTES) { /* at most two pages */
        struct walk_result w = page_walk(&cpu->vm->memory, &mode, gva(at + count), WALK_FETCH);
        unsigned left = (unsigned)(4096 - (w.gpa.raw & 4095));
        unsigned n = left < INSN_MAX_BYTES - count ? left : INSN_MAX_BYTES - count;
        const void *from = w.is_fault ? NULL : guest_memory_at(&cpu->vm->memory, w.gpa, n);
        if (!from)
            break;
        memcpy(bytes + count, from, n);
        count += n;
    }
    return count;
}

/* The first length bytes are the same: two words and a mask. */
static bool is_same(const uint8_t *a, const uint8_t *b, unsigned length)
{
    uint64_t x[2], y[2];
    memcpy(x, a, 16);
    memcpy(y, b, 16);
    uint64_t low = length >= 8 ? UINT64_MAX : (1ull << length * 8) - 1;
    uint64_t high = length > 8 ? (1ull << (length - 8) * 8) - 1 : 0;
    return !(((x[0] ^ y[0]) & low) | ((x[1] ^ y[1]) & high));
}

const struct insn *access_decode(struct vcpu *cpu, uint8_t bytes[16], unsigned given)
{
    const struct leat_vcpu *page = cpu->page;
    unsigned count = given ? given : access_fetch(cpu, bytes);
    enum insn_code_size code = access_code_size(page);
    uint64_t hash = page->rip ^ page->rip >> 7;
    struct decode_entry *e = &cpu->cache[hash & (DECODE_CACHE_SIZE - 1)];
    if (e->insn.length && e->rip == page->rip && e->cr3 == page->cr3 && e->code == code &&
        e->insn.length <= count && is_same(e->bytes, bytes, e->insn.length))
        return &e->insn;
    struct insn insn;
    if (!count || insn_decode(bytes, count, code, &insn) != LEAT_OK)
        return NULL;
    *e = (struct decode_entry){.rip = page->rip, .cr3 = page->cr3, .insn = insn, .code = code};
    memcpy(e->bytes, bytes, insn.length);
    return &e->insn;
}

bool access_linear(struct vcpu *cpu, unsigned segment, uint64_t offset, unsigned width,
                   gva_t *address)
{
    const struct leat_segment *s = &cpu->page->seg[segment];
    if (access_code_size(cpu->page) == INSN_CODE_64) {
        bool has_base = segment == LEAT_FS || segment == LEAT_GS;
        uint64_t linear = offset + (has_base ? s->base : 0);
        unsigned spare = cpu->page->cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;
        *address = gva(linear);
        if ((uint64_t)((int64_t)(linear << spare) >> spare) == linear)
            return true;
        vcpu_inject_gp(cpu); /* not canonical */
        return false;
    }
    if (offset > s->limit || width - 1 > s->limit - offset) {
        vcpu_inject_gp(cpu);
        return false;
    }
    *address = gva((uint32_t)(s->base + offset));
    return true;
}

/* One access that does not cross a page. */
static bool access_in_page(struct vcpu *cpu, gva_t address, unsigned width, uint64_t *value,
                           bool is_write)
{
    struct walk_mode mode = access_mode(cpu->page);
    struct walk_result w =
        page_walk(&cpu->vm->memory, &mode, address, is_write ? WALK_WRITE : WALK_READ);
    if (w.is_fault) {
        vcpu_inject_pf(cpu, address.raw, w.error);
        return false;
    }
    void *ram = guest_memory_at(&cpu->vm->memory, w.gpa, width);
    if (ram && is_write)
        memcpy(ram, value, width);
    else if (ram)
        memcpy(value, ram, width);
    else if (is_write)
        vcpu_mmio_write(cpu, w.gpa.raw, width, *value);
    else
        *value = vcpu_mmio_read(cpu, w.gpa.raw, width);
    return true;
}

bool access_read(struct vcpu *cpu, gva_t address, unsigned width, uint64_t *value)
{
    *value = 0;
    if ((address.raw & 4095) + width <= 4096)
        return access_in_page(cpu, address, width, value, false);
    for (unsigned i = 0; i < width; i++) {
        uint64_t byte = 0;
        if (!access_in_page(cpu, gva(address.raw + i), 1, &byte, false))
            return false;
        *value |= (byte & 0xff) << i * 8;
    }
    return true;
}

bool access_write(struct vcpu *cpu, gva_t address, unsigned width, uint64_t value)
{
    if ((address.raw & 4095) + width <= 4096)
        return access_in_page(cpu, address, width, &value, true);
    for (unsigned i = 0; i < width; i++) {
        uint64_t byte = value >> i * 8 & 0xff;
        if (!access_in_page(cpu, gva(address.raw + i), 1, &byte, true))
            return false;
    }
    return true;
}
