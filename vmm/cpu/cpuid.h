// SPDX-License-Identifier: BSD-2-Clause
/*
 * What CPUID answers to a guest: the host's own answers through the policy of cpuid_policy.c, and
 * what is computed for the guest. Portable.
 */
#ifndef VMM_CPU_CPUID_H
#define VMM_CPU_CPUID_H

#include <leat/syscall.h>

#define CPUID_MAX_ENTRIES 64

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

struct cpuid_host {
    struct cpuid_regs (*cpuid)(uint32_t leaf, uint32_t subleaf);
    uint64_t xcr0; /* states that the host has switched on; 0: no XSAVE for guests */
    uint64_t tsc_hz;
    unsigned cpus; /* of the guest, 1..VM_MAX_CPUS */
};

/* Returns the number of entries, at most CPUID_MAX_ENTRIES. APIC ids are those of CPU 0. */
unsigned cpuid_build(const struct cpuid_host *host, struct leat_cpuid_entry *entries);

/* AMD, or Hygon, whose CPUs are AMD's. */
bool cpuid_is_amd(const struct cpuid_host *host);

/* -- between cpuid.c and cpuid_topology.c -- */

struct cpuid_table {
    const struct cpuid_host *host;
    struct leat_cpuid_entry *entries;
    unsigned count;
    bool is_amd;
};

/* The entry of that leaf, a new one of zeros if there is none. */
struct leat_cpuid_entry *cpuid_entry(struct cpuid_table *t, uint32_t leaf, uint32_t subleaf);
void cpuid_set(struct cpuid_table *t, uint32_t leaf, uint32_t subleaf, struct cpuid_regs regs);

/* Zeros above the host's highest leaf. */
struct cpuid_regs cpuid_host_leaf(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf);

/* Counts of CPUs, APIC ids, caches: leaves 1, 4, 0xb, 0x1f, 0x80000008, 0x8000001d, 0x8000001e. */
void cpuid_add_topology(struct cpuid_table *t);

#endif
