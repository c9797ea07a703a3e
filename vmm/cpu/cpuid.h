// SPDX-License-Identifier: BSD-2-Clause
/* What CPUID answers to a guest: the host's own answers through the masks of cpuid.c. Portable. */
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

#endif
