// SPDX-License-Identifier: BSD-2-Clause
/*
 * What CPUID answers to a guest: the vmm's table with an index, so that the look-up takes a few
 * instructions. Host-testable.
 */
#ifndef KERNEL_GUEST_CPUID_H
#define KERNEL_GUEST_CPUID_H

#include <leat/syscall.h>
#include "kernel/arch.h"

#define GUEST_CPUID_ENTRIES 64u
#define GUEST_CPUID_LEAVES 64u /* in each quarter of the number space */

struct guest_cpuid {
    uint32_t count;
    /* [leaf / 2^30][leaf % 2^30]: index of its first entry + 1 */
    uint8_t first[4][GUEST_CPUID_LEAVES];
    struct leat_cpuid_entry entries[GUEST_CPUID_ENTRIES]; /* sorted by leaf, else as given */
};

/* Replaces the table. entries is trusted memory. LEAT_EINVAL: too many, or a leaf out of range; the table
   is then unchanged. */
int guest_cpuid_set(struct guest_cpuid *table, const struct leat_cpuid_entry *entries,
                    uint64_t count);

/* NULL: all zero. */
static inline const struct leat_cpuid_entry *guest_cpuid_find(const struct guest_cpuid *table,
                                                              uint32_t leaf, uint32_t subleaf)
{
    uint32_t index = leaf & 0x3fffffffu;
    if (index >= GUEST_CPUID_LEAVES)
        return NULL;
    uint32_t at = table->first[leaf >> 30][arch_index(index, GUEST_CPUID_LEAVES)];
    if (!at)
        return NULL;
    for (at--; at < table->count && table->entries[at].leaf == leaf; at++)
        if (!table->entries[at].has_subleaf || table->entries[at].subleaf == subleaf)
            return &table->entries[at];
    return NULL;
}

/* The table is one for all vCPUs of a guest; what differs is the APIC id, which is the vCPU's index. SDM
   vol. 2, CPUID: leaf 1, EBX bits 31:24; leaves 0bh and 1fh, EDX. AMD APM vol. 3, E.4.16: leaf 8000001eh,
   EAX, and the core in EBX bits 7:0. */
static inline void guest_cpuid_patch(uint32_t leaf, uint32_t index, struct leat_cpuid_entry *answer)
{
    if (leaf == 1)
        answer->ebx = (answer->ebx & 0x00ffffffu) | index << 24;
    else if (leaf == 0xb || leaf == 0x1f)
        answer->edx = index;
    else if (leaf == 0x8000001e) {
        answer->eax = index;
        answer->ebx = (answer->ebx & 0xffffff00u) | index;
    }
}

#endif
