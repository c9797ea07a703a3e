// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory types: MTRRs and PAT. They are kept, checked as a CPU would, and mean nothing: all of a
 * guest's RAM is write-back by the nested page tables. SDM vol. 3, 12.11 and 12.12.
 */
#include <string.h>

#include "vmm/cpu/vcpu.h"

#define MTRR_PHYS 0x200u
#define MTRR_FIX64 0x250u
#define MTRR_FIX16 0x258u
#define MTRR_FIX4 0x268u
#define PAT 0x277u
#define MTRR_DEFAULT 0x2ffu

#define TYPE_UC 0u
#define TYPE_WC 1u
#define TYPE_WT 4u
#define TYPE_WP 5u
#define TYPE_WB 6u
#define TYPE_UC_MINUS 7u        /* of the PAT only */
#define DEFAULT_ON (3ull << 10) /* E, FE */
#define VARIABLE_VALID (1ull << 11)

void msr_mtrr_reset(struct msr_state *state)
{
    memset(state->mtrr_variable, 0, sizeof(state->mtrr_variable));
    memset(state->mtrr_fixed, TYPE_WB, sizeof(state->mtrr_fixed));
    state->mtrr_default = DEFAULT_ON | TYPE_WB;
    /* what firmware would have done: the hole of PCI and the APICs, 3 to 4 GiB, is uncacheable */
    state->mtrr_variable[0] = LAYOUT_PCI_MMIO | TYPE_UC;
    state->mtrr_variable[1] = 0xfc0000000 | VARIABLE_VALID;
}

static bool is_type(uint64_t type)
{
    return type == TYPE_UC || type == TYPE_WC || (type >= TYPE_WT && type <= TYPE_WB);
}

/* Eight types, one in each byte. */
static bool are_types(uint64_t value, bool is_pat)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = value >> i & 0xff;
        if (!is_type(type) && !(is_pat && type == TYPE_UC_MINUS))
            return false;
    }
    return true;
}

static bool is_variable(uint32_t index)
{
    return index >= MTRR_PHYS && index < MTRR_PHYS + 2 * MSR_MTRR_VARIABLE;
}

static uint64_t *slot_of(struct msr_state *s, uint32_t index)
{
    if (index == MTRR_DEFAULT)
        return &s->mtrr_default;
    if (is_variable(index))
        return &s->mtrr_variable[index - MTRR_PHYS];
    if (index == MTRR_FIX64)
        return &s->mtrr_fixed[0];
    if (index == MTRR_FIX16 || index == MTRR_FIX16 + 1)
        return &s->mtrr_fixed[1 + index - MTRR_FIX16];
    if (index >= MTRR_FIX4 && index < MTRR_FIX4 + 8)
        return &s->mtrr_fixed[3 + index - MTRR_FIX4];
    return NULL;
}

static bool is_good(uint32_t index, uint64_t value)
{
    const uint64_t low_reserved_base = 0xf00, low_reserved_mask = 0x7ff;
    if (index == MTRR_DEFAULT)
        return !(value & ~0xcffull) && is_type(value & 0xff);
    if (!is_variable(index))
        return are_types(value, false);
    if (index & 1)
        return !(value & low_reserved_mask);
    return !(value & low_reserved_base) && is_type(value & 0xff);
}

static bool pat_write(struct vcpu *cpu, uint64_t value)
{
    if (!are_types(value, true) || !vcpu_sync(cpu, LEAT_VCPU_MISC))
        return false;
    cpu->page->pat = value;
    cpu->page->dirty |= LEAT_VCPU_MISC;
    return true;
}

bool msr_mtrr_read(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    if (index == PAT && !vcpu_sync(cpu, LEAT_VCPU_MISC))
        return false;
    const uint64_t *slot = index == PAT ? &cpu->page->pat : slot_of(&cpu->msrs, index);
    if (!slot)
        return false;
    *value = *slot;
    return true;
}

bool msr_mtrr_write(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    if (index == PAT)
        return pat_write(cpu, value);
    uint64_t *slot = slot_of(&cpu->msrs, index);
    if (!slot || !is_good(index, value))
        return false;
    *slot = value;
    return true;
}
