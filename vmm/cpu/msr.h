// SPDX-License-Identifier: BSD-2-Clause
/*
 * Model-specific registers that the VMM answers for. What the CPU itself keeps for the guest (EFER,
 * STAR and its kin, FS and GS base, PAT, SYSENTER) does not exit. With the VM's lock held.
 */
#ifndef VMM_CPU_MSR_H
#define VMM_CPU_MSR_H

#include <leat/types.h>

struct vcpu;

#define MSR_MTRR_VARIABLE 8 /* pairs of base and mask */
#define MSR_MTRR_FIXED 11
#define MSR_REMEMBERED 32

#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC 0x800u
#define MSR_X2APIC_LAST 0x8ffu
#define MSR_MTRR_FIRST 0x200u /* MTRRs and PAT lie from here */
#define MSR_MTRR_LAST 0x2ffu

struct msr_state { /* of one vCPU */
    uint64_t tsc_adjust;
    uint64_t mtrr_default;
    uint64_t mtrr_variable[MSR_MTRR_VARIABLE * 2];
    uint64_t mtrr_fixed[MSR_MTRR_FIXED];
    uint32_t unknown[MSR_REMEMBERED]; /* those that the log has been told of */
    uint32_t unknown_count;
};

void msr_reset(struct msr_state *state);

/* False: #GP. */
bool msr_read(struct vcpu *cpu, uint32_t index, uint64_t *value);
bool msr_write(struct vcpu *cpu, uint32_t index, uint64_t value);

/* -- msr_mtrr.c: memory types -- */
void msr_mtrr_reset(struct msr_state *state);
bool msr_mtrr_read(struct vcpu *cpu, uint32_t index, uint64_t *value);
bool msr_mtrr_write(struct vcpu *cpu, uint32_t index, uint64_t value);

#endif
