// SPDX-License-Identifier: BSD-2-Clause
/* RDMSR and WRMSR. Writes of the local APIC and its deadline timer are most of all exits of a busy guest. */
#include "vmm/cpu/vcpu.h"

/* Guests probe for MSRs and expect the #GP; once each is enough for the log. */
static void refuse(struct vcpu *cpu, const char *what, uint32_t index)
{
    struct msr_state *s = &cpu->msrs;
    vcpu_inject_gp(cpu);
    for (unsigned i = 0; i < s->unknown_count; i++)
        if (s->unknown[i] == index)
            return;
    if (s->unknown_count == MSR_REMEMBERED)
        return;
    s->unknown[s->unknown_count++] = index;
    vm_log(cpu->vm, "vCPU %u: %s of MSR 0x%x at RIP 0x%llx is refused with #GP", cpu->index, what,
           index, (unsigned long long)cpu->page->rip);
}

void exit_msr_read(struct vcpu *cpu)
{
    struct leat_vcpu *page = cpu->page;
    uint32_t index = page->detail.msr.index;
    uint64_t value = 0;
    if (!msr_read(cpu, index, &value)) {
        refuse(cpu, "a read", index);
        return;
    }
    page->gpr[LEAT_RAX] = (uint32_t)value;
    page->gpr[LEAT_RDX] = value >> 32;
    page->dirty |= LEAT_VCPU_GPR;
    vcpu_skip(cpu, page->next_rip);
}

bool exit_msr_write_alone(struct vcpu *cpu)
{
    const struct leat_exit_msr msr = cpu->page->detail.msr;
    if (msr.index == MSR_TSC_DEADLINE)
        lapic_set_tsc_deadline(cpu->lapic, msr.value);
    else if (msr.index < MSR_X2APIC || msr.index > MSR_X2APIC_LAST ||
             !lapic_msr_write_alone(cpu->lapic, msr.index - MSR_X2APIC, msr.value))
        return false;
    vcpu_skip(cpu, cpu->page->next_rip);
    return true;
}

void exit_msr_write(struct vcpu *cpu)
{
    struct leat_vcpu *page = cpu->page;
    const struct leat_exit_msr msr = page->detail.msr;
    if (msr_write(cpu, msr.index, msr.value))
        vcpu_skip(cpu, page->next_rip);
    else
        refuse(cpu, "a write", msr.index);
}
