// SPDX-License-Identifier: BSD-2-Clause
/*
 * Barriers between tenants: what the supervisor has ordered (leat/mitigate.h) is done here; docs/security.md
 * has the table. Interrupts are off; what is touched is the CPU's own.
 */
#ifndef ARCH_X86_64_MITIGATE_H
#define ARCH_X86_64_MITIGATE_H

#include <leat/mitigate.h>

#define MSR_SPEC_CTRL 0x48 /* SDM vol. 4, table 2-2; AMD APM vol. 2, 3.2.9 */
#define MSR_PRED_CMD 0x49

#ifndef __ASSEMBLER__
#include "arch/x86_64/cpu.h"
#include "kernel/vcpu.h"

extern struct mitigate {
    uint32_t bits; /* LEAT_MITIGATE_* */
    uint32_t spec; /* SPEC_CTRL in ring 3, and whatever a guest asks for */
} mitigate;
extern const uint16_t mitigate_selector;

/* The current thread's domain is about to run here: on the way to ring 3 (CPU_WORK_BARRIER), and when its vCPU
   is attached. */
void mitigate_switch(bool is_guest);
void mitigate_refill(void); /* the return stack */

static inline void mitigate_load_spec(uint32_t spec)
{
    this_cpu()->spec_ctrl = spec;
    wrmsr(MSR_SPEC_CTRL, spec);
}

/* Last in C before a guest. */
static inline void mitigate_enter(const struct vcpu *vcpu)
{
    if (this_cpu()->spec_ctrl != (mitigate.spec | vcpu->spec_ctrl))
        mitigate_load_spec(mitigate.spec | vcpu->spec_ctrl);
    if (mitigate.bits & LEAT_MITIGATE_VERW)
        __asm__ volatile("verw %0" ::"m"(mitigate_selector) : "cc");
}

/* First in C after its exit, which was through mitigate_exit (mitigate.S). */
static inline void mitigate_leave(void)
{
    if (mitigate.bits & LEAT_MITIGATE_IBRS_ON_EXIT)
        mitigate_load_spec(mitigate.spec | LEAT_SPEC_IBRS);
    else if (this_cpu()->spec_ctrl != mitigate.spec)
        mitigate_load_spec(mitigate.spec);
    __asm__ volatile("lfence"); /* speculation must not skip it */
}

/* A guest's SPEC_CTRL, PRED_CMD, FLUSH_CMD, ARCH_CAPABILITIES. false: no such MSR or value. */
bool mitigate_rdmsr(const struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool mitigate_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value);

#endif
#endif
