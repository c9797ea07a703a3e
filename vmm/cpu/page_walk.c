// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/page_walk.h"

#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_LA57 (1ull << 12)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)
#define RFLAGS_AC (1ull << 18)

#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define PF_PRESENT (1u << 0)
#define PF_WRITE (1u << 1)
#define PF_USER (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_FETCH (1u << 4)

struct walk {
    const struct guest_memory *memory;
    const struct walk_mode *mode;
    uint64_t address;
    unsigned access;
    uint64_t rights; /* W and U of all levels anded, NX of all levels ored */
};

static struct walk_result fault(const struct walk *w, uint32_t bits)
{
    uint32_t error = bits;
    if (w->access & WALK_WRITE)
        error |= PF_WRITE;
    if (w->mode->is_user)
        error |= PF_USER;
    if ((w->access & WALK_FETCH) && ((w->mode->efer & EFER_NXE) || (w->mode->cr4 & CR4_SMEP)))
        error |= PF_FETCH;
    return (struct walk_result){.is_fault = true, .error = error};
}

/* SDM vol. 3, 4.6.1 */
static bool is_allowed(const struct walk *w)
{
    const struct walk_mode *m = w->mode;
    bool is_user_page = w->rights & PTE_U, is_writable = w->rights & PTE_W;
    if ((w->access & WALK_FETCH) && (w->rights & PTE_NX) && (m->efer & EFER_NXE))
        return false;
    if (m->is_user)
        return is_user_page && (is_writable || !(w->access & WALK_WRITE));
    if (is_user_page && (w->access & WALK_FETCH) && (m->cr4 & CR4_SMEP))
        return false;
    if (is_user_page && !(w->access & WALK_FETCH) && (m->cr4 & CR4_SMAP) &&
        !(m->rflags & RFLAGS_AC))
        return false;
    return is_writable || !(w->access & WALK_WRITE) || !(m->cr0 & CR0_WP);
}

static struct walk_result finish(const struct walk *w, uint64_t base, uint64_t size)
{
    return (struct walk_result){.gpa = gpa(base + (w->address & (size - 1))), .page_bytes = size};
}

/* Sets flags in an entry that is still what was read; a lost race means the guest changed it: then
   the walk's answer is as good as one made a moment earlier. */
static void mark64(uint64_t *entry, uint64_t seen, uint64_t bits)
{
    if ((seen & bits) != bits)
        __atomic_compare_exchange_n(entry, &seen, seen | bits, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
}

static void mark32(uint32_t *entry, uint32_t seen, uint32_t bits)
{
    if ((seen & bits) != bits)
        __atomic_compare_exchange_n(entry, &seen, seen | bits, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED);
}

/* Levels of 512 entries of 8 bytes, from `level` (5, 4, 3 or 2) down to 1. */
static struct walk_result walk_wide(struct walk *w, uint64_t table, unsigned level)
{
    for (;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t index = w->address >> shift & 511;
        uint64_t *at = guest_memory_at(w->memory, gpa((table & PTE_ADDRESS) + index * 8), 8);
        if (!at)
            return fault(w, 0);
        uint64_t entry = __atomic_load_n(at, __ATOMIC_RELAXED);
        if (!(entry & PTE_P))
            return fault(w, 0);
        w->rights = (w->rights & entry & (PTE_W | PTE_U)) | ((w->rights | entry) & PTE_NX);
        bool is_large = entry & PTE_PS && level > 1;
        if (is_large && level > 3)
            return fault(w, PF_PRESENT | PF_RESERVED);
        if (level > 1 && !is_large) {
            mark64(at, entry, PTE_A);
            table = entry;
            continue;
        }
        if (!is_allowed(w))
            return fault(w, PF_PRESENT);
        mark64(at, entry, PTE_A | (w->access & WALK_WRITE ? PTE_D : 0));
        uint64_t size = 1ull << shift;
        return finish(w, entry & PTE_ADDRESS & ~(size - 1), size);
    }
}

/* PAE's four top entries carry no rights: SDM vol. 3, table 4-8. */
static struct walk_result walk_pae(struct walk *w)
{
    uint64_t table = w->mode->cr3 & 0xffffffe0;
    uint64_t *at = guest_memory_at(w->memory, gpa(table + (w->address >> 30 & 3) * 8), 8);
    if (!at)
        return fault(w, 0);
    uint64_t entry = __atomic_load_n(at, __ATOMIC_RELAXED);
    return entry & PTE_P ? walk_wide(w, entry, 2) : fault(w, 0);
}

static struct walk_result walk_32bit(struct walk *w)
{
    uint64_t table = w->mode->cr3 & 0xfffff000;
    for (unsigned level = 2;; level--) {
        unsigned shift = level == 2 ? 22 : 12;
        uint32_t *at = guest_memory_at(w->memory, gpa(table + (w->address >> shift & 1023) * 4), 4);
        if (!at)
            return fault(w, 0);
        uint32_t entry = __atomic_load_n(at, __ATOMIC_RELAXED);
        if (!(entry & PTE_P))
            return fault(w, 0);
        w->rights &= entry | ~(PTE_W | PTE_U);
        bool is_large = level == 2 && (entry & PTE_PS) && (w->mode->cr4 & CR4_PSE);
        if (level == 2 && !is_large) {
            mark32(at, entry, PTE_A);
            table = entry & 0xfffff000;
            continue;
        }
        if (!is_allowed(w))
            return fault(w, PF_PRESENT);
        mark32(at, entry, PTE_A | (w->access & WALK_WRITE ? PTE_D : 0));
        if (!is_large)
            return finish(w, entry & 0xfffff000, 4096);
        /* PSE-36: bits 20:13 are address bits 39:32 */
        return finish(w, (entry & 0xffc00000) | (uint64_t)(entry >> 13 & 0xff) << 32, 4u << 20);
    }
}

struct walk_result page_walk(const struct guest_memory *memory, const struct walk_mode *mode,
                             gva_t address, unsigned access)
{
    struct walk w = {memory, mode, address.raw, access, PTE_W | PTE_U};
    bool is_long = mode->efer & EFER_LMA;
    if (!is_long)
        w.address &= UINT32_MAX;
    if (!(mode->cr0 & CR0_PG))
        return finish(&w, w.address & ~0xfffull, 4096);
    if (is_long)
        return walk_wide(&w, mode->cr3, mode->cr4 & CR4_LA57 ? 5 : 4);
    return mode->cr4 & CR4_PAE ? walk_pae(&w) : walk_32bit(&w);
}
