// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/exits.h"
#include "arch/x86_64/checks.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/mitigate.h"
#include "arch/x86_64/serial.h"
#include "kernel/notif.h"
#include "kernel/smp.h"
#include "kernel/thread.h"

#define CPUID_1_OSXSAVE (1u << 27)

void exits_cpuid(struct vcpu *vcpu, uint64_t guest_cr4)
{
    uint64_t *gpr = vcpu->page->gpr;
    uint32_t leaf = (uint32_t)VCPU_READ(gpr[LEAT_RAX]);
    uint32_t subleaf = (uint32_t)VCPU_READ(gpr[LEAT_RCX]);
    const struct leat_cpuid_entry *entry = guest_cpuid_find(vcpu->guest->cpuid, leaf, subleaf);
    if (!entry) {
        gpr[LEAT_RAX] = gpr[LEAT_RBX] = gpr[LEAT_RCX] = gpr[LEAT_RDX] = 0;
        return;
    }
    struct leat_cpuid_entry answer = *entry;
    guest_cpuid_patch(leaf, vcpu->index, &answer);
    gpr[LEAT_RAX] = answer.eax;
    gpr[LEAT_RBX] = answer.ebx;
    gpr[LEAT_RCX] = answer.ecx;
    gpr[LEAT_RDX] = answer.edx;
    if (leaf == 1)
        gpr[LEAT_RCX] =
            (answer.ecx & ~CPUID_1_OSXSAVE) | (guest_cr4 & CR4_OSXSAVE ? CPUID_1_OSXSAVE : 0);
    else if (leaf == 0xd && subleaf == 0) /* size of the area for what XCR0, the guest's, enables */
        gpr[LEAT_RBX] = cpuid(0xd, 0).ebx;
}

int exits_io(struct vcpu *vcpu, struct leat_exit_io io)
{
    if (!io.is_in && !io.is_string) {
        const struct doorbell *bell = doorbell_find(&vcpu->guest->doorbells, io.port);
        if (bell) {
            vcpu_count(vcpu, LEAT_COUNT_DOORBELL);
            notif_signal(bell->notif, bell->bits);
            return EXIT_RESUME;
        }
    }
    vcpu_count(vcpu, LEAT_COUNT_IO);
    if (io.is_string)
        vcpu->groups = LEAT_VCPU_CR | LEAT_VCPU_SEG;
    vcpu->page->detail.io = io;
    return LEAT_EXIT_IO;
}

/* SDM vol. 3, table 6-5 */
static bool is_contributory(uint32_t vector)
{
    return vector == 0 || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

uint32_t exits_merge(uint32_t first, uint32_t second)
{
    const uint32_t type = 7u << 8;
    uint32_t one = first & 0xff, two = second & 0xff;
    if (!first || (first & type) != LEAT_EVENT_EXCEPTION << 8)
        return second;
    if (one == VECTOR_DF)
        return 0;
    if ((is_contributory(one) && is_contributory(two)) ||
        (one == VECTOR_PF && (is_contributory(two) || two == VECTOR_PF)))
        return LEAT_EVENT(LEAT_EVENT_EXCEPTION, VECTOR_DF) | LEAT_EVENT_HAS_ERROR;
    return second;
}

bool exits_take_all(void)
{
    return cpu_count > 1 && serial_is_bochs();
}

int exits_pause(void)
{
    struct percpu *cpu = this_cpu();
    cpu->current->slice_over = true;
    cpu->work |= CPU_WORK_RESCHED;
    return VIRT_CHECK;
}

bool exits_xsetbv(struct vcpu *vcpu)
{
    uint64_t value = exits_operand(vcpu);
    if (exits_index(vcpu) != 0 || !xcr0_is_valid(value, fpu_xcr0()))
        return false;
    vcpu->xcr0 = value;
    xcr0_set(value);
    return true;
}

int exits_rdmsr(struct vcpu *vcpu)
{
    uint64_t value;
    if (mitigate_rdmsr(vcpu, exits_index(vcpu), &value)) {
        exits_give(vcpu, value);
        return EXIT_RESUME;
    }
    vcpu->page->detail.msr = (struct leat_exit_msr){.index = exits_index(vcpu)};
    return LEAT_EXIT_MSR_READ;
}

int exits_wrmsr(struct vcpu *vcpu)
{
    if (mitigate_wrmsr(vcpu, exits_index(vcpu), exits_operand(vcpu)))
        return EXIT_RESUME;
    vcpu->page->detail.msr =
        (struct leat_exit_msr){.index = exits_index(vcpu), .value = exits_operand(vcpu)};
    return LEAT_EXIT_MSR_WRITE;
}
