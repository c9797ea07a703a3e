// SPDX-License-Identifier: BSD-2-Clause
/*
 * Model-specific registers that the VMM answers for. What the CPU itself keeps for the guest (EFER,
 * STAR and its kin, FS and GS base, PAT, SYSENTER) does not exit.
 */
#ifndef VMM_CPU_MSR_H
#define VMM_CPU_MSR_H

#include <leat/types.h>

#define MSR_MTRR_VARIABLE 8 /* pairs of base and mask */
#define MSR_MTRR_FIXED 11
#define MSR_REMEMBERED 32

struct msr_state { /* of one vCPU */
    uint64_t tsc_adjust;
    uint64_t mtrr_default;
    uint64_t mtrr_variable[MSR_MTRR_VARIABLE * 2];
    uint64_t mtrr_fixed[MSR_MTRR_FIXED];
    uint32_t unknown[MSR_REMEMBERED]; /* those that the log has been told of */
    uint32_t unknown_count;
};

void msr_reset(struct msr_state *state);

#endif
