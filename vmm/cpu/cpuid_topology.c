// SPDX-License-Identifier: BSD-2-Clause
/*
 * One package of as many cores as the guest has vCPUs, one thread a core; the APIC id is the vCPU's
 * index (the kernel puts it in where an answer is of one vCPU). The caches of the first and second
 * level are each core's own, the rest is everybody's.
 */
#include "vmm/cpu/cpuid.h"

#define LEAF1_EDX_HTT (1u << 28)
#define AMD_CMP_LEGACY (1u << 1)
#define AMD_TOPOLOGY_EXTENSIONS (1u << 22)
#define LEVEL_THREAD 0x100u /* leaf 0xb, ECX 15:8 */
#define LEVEL_CORE 0x200u
#define CACHES_MAX 8u

static uint32_t id_bits(unsigned cpus)
{
    uint32_t bits = 0;
    while (1u << bits < cpus)
        bits++;
    return bits;
}

/* Leaf 4, and 0x8000001d, which has the same form but for the count of cores. */
static void add_caches(struct cpuid_table *t, uint32_t leaf)
{
    const uint32_t most = (1u << id_bits(t->host->cpus)) - 1; /* highest APIC id that can be */
    for (uint32_t i = 0; i < CACHES_MAX; i++) {
        struct cpuid_regs h = cpuid_host_leaf(t, leaf, i);
        if (!(h.eax & 0x1f))
            return;
        uint32_t level = h.eax >> 5 & 7;
        h.eax = (h.eax & 0x3ff) | (level > 2 ? most : 0) << 14;
        if (leaf == 4)
            h.eax |= most << 26;
        cpuid_set(t, leaf, i, h);
    }
}

static void add_levels(struct cpuid_table *t, uint32_t leaf)
{
    const uint32_t bits = id_bits(t->host->cpus), cpus = t->host->cpus;
    cpuid_set(t, leaf, 0, (struct cpuid_regs){0, 1, LEVEL_THREAD, 0});
    cpuid_set(t, leaf, 1, (struct cpuid_regs){bits, cpus, LEVEL_CORE | 1, 0});
    cpuid_set(t, leaf, 2, (struct cpuid_regs){0, 0, 2, 0});
}

/* AMD APM vol. 3, E.4.7 and E.4.16 */
static void add_amd(struct cpuid_table *t)
{
    const uint32_t bits = id_bits(t->host->cpus);
    struct leat_cpuid_entry *e = cpuid_entry(t, 0x80000001, 0);
    if (t->host->cpus > 1)
        e->ecx |= AMD_CMP_LEGACY;
    if (cpuid_host_leaf(t, 0x80000001, 0).ecx & AMD_TOPOLOGY_EXTENSIONS) {
        e->ecx |= AMD_TOPOLOGY_EXTENSIONS;
        add_caches(t, 0x8000001d);
        cpuid_set(t, 0x8000001e, 0, (struct cpuid_regs){0}); /* one thread a core, one node */
    }
    cpuid_entry(t, 0x80000008, 0)->ecx = bits << 12 | (t->host->cpus - 1);
}

void cpuid_add_topology(struct cpuid_table *t)
{
    struct leat_cpuid_entry *e = cpuid_entry(t, 1, 0);
    if (t->host->cpus > 1) {
        e->ebx |= t->host->cpus << 16;
        e->edx |= LEAF1_EDX_HTT;
    }
    add_levels(t, 0xb);
    if (t->is_amd) {
        add_amd(t);
    } else {
        add_caches(t, 4);
        add_levels(t, 0x1f);
    }
}
