// SPDX-License-Identifier: BSD-2-Clause
/* What the back ends do alike about an exit. The caller moves RIP on, or raises the #GP. */
#ifndef ARCH_X86_64_EXITS_H
#define ARCH_X86_64_EXITS_H

#include "kernel/vcpu.h"

#define EXIT_RESUME (-2) /* of an exit handler: enter again; else enum leat_exit or VIRT_CHECK */

enum { MSR_TSC = 0x10, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176 };
enum { MSR_TSC_AUX = 0xc0000103 };

enum { VECTOR_DB = 1u, VECTOR_UD = 6u, VECTOR_DF = 8u, VECTOR_TS = 10u, VECTOR_GP = 13u };
enum { VECTOR_PF = 14u, VECTOR_AC = 17u, VECTOR_MC = 18u };

/* Answers from the guest's table. guest_cr4: as the guest's CPU has it. */
void exits_cpuid(struct vcpu *vcpu, uint64_t guest_cr4);

/* EXIT_RESUME: it was a doorbell, which has been rung; else LEAT_EXIT_IO, with page->detail. */
int exits_io(struct vcpu *vcpu, struct leat_exit_io io);

/* A guest's exception, taken to be handed on. first: the event whose delivery it interrupted, 0: none. What is to be
   injected: second, or #DF with error code 0; 0: a triple fault. */
uint32_t exits_merge(uint32_t first, uint32_t second);

/*
 * Must every exception of a guest be taken? Bochs (2.7, 3.0) with several CPUs forgets, when an interrupt ends guest
 * mode right after it has delivered an exception, that RIP is the handler's, and saves the one of before. An exception that
 * is injected has no such moment.
 */
bool exits_take_all(void);

/* The guest spins: whoever it waits for may need the CPU. VIRT_CHECK. */
int exits_pause(void);

bool exits_xsetbv(struct vcpu *vcpu); /* false: #GP */

/* EXIT_RESUME: done, an MSR of mitigate.h's. Else it is the vmm's business: fills page->detail. */
int exits_rdmsr(struct vcpu *vcpu);
int exits_wrmsr(struct vcpu *vcpu);

/* EDX:EAX, as WRMSR and XSETBV take it. */
static inline uint64_t exits_operand(const struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->page->gpr;
    return VCPU_READ(gpr[LEAT_RDX]) << 32 | (uint32_t)VCPU_READ(gpr[LEAT_RAX]);
}
static inline uint32_t exits_index(const struct vcpu *vcpu) /* of the MSR */
{
    return (uint32_t)VCPU_READ(vcpu->page->gpr[LEAT_RCX]);
}
static inline void exits_give(struct vcpu *vcpu, uint64_t value) /* what RDMSR reads */
{
    vcpu->page->gpr[LEAT_RAX] = (uint32_t)value;
    vcpu->page->gpr[LEAT_RDX] = value >> 32;
}

#endif
