// SPDX-License-Identifier: BSD-2-Clause
/*
 * What CPUID may tell a guest: one row for each bit or field, with its name and the reason.
 * docs/cpuid.md shows the same rows (a unit test compares them). SDM vol. 2, CPUID; AMD APM vol. 3,
 * appendix E. What no row names is hidden.
 */
#ifndef VMM_CPU_CPUID_POLICY_H
#define VMM_CPU_CPUID_POLICY_H

#include <leat/types.h>

enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

enum cpuid_rule {
    CPUID_HOST, /* as the host's CPU says */
    CPUID_ON,   /* set whatever the host says: the VMM gives it */
    CPUID_MADE, /* computed for this guest: cpuid.c, cpuid_topology.c, the kernel */
    CPUID_OFF,  /* never: named because it is worth saying why */
};

enum cpuid_vendor { CPUID_ANY, CPUID_INTEL, CPUID_AMD }; /* whose CPUs have it */

enum cpuid_need { /* register state that the kernel must save for the guest; else the bit is off */
                  CPUID_NO_NEED,
                  CPUID_NEEDS_XSAVE,
                  CPUID_NEEDS_AVX,
                  CPUID_NEEDS_AVX512,
};

struct cpuid_row {
    uint32_t leaf, subleaf;
    enum cpuid_register reg;
    unsigned first, count; /* bits; more than 32: whole registers from reg on */
    enum cpuid_rule rule;
    enum cpuid_vendor vendor;
    enum cpuid_need need;
    const char *name, *why;
};

extern const struct cpuid_row cpuid_rows[];
extern const unsigned cpuid_row_count;

/* The row's bits of one register. */
static inline uint32_t cpuid_row_mask(const struct cpuid_row *row, enum cpuid_register reg)
{
    if (row->count > 32)
        return reg >= row->reg && reg < row->reg + row->count / 32 ? UINT32_MAX : 0;
    if (reg != row->reg)
        return 0;
    return (row->count == 32 ? UINT32_MAX : (1u << row->count) - 1) << row->first;
}

#endif
