// SPDX-License-Identifier: BSD-2-Clause
/*
 * Debug registers. The host uses none, so a guest's may stay in the CPU until another guest wants
 * its own. DR7 is switched by the VMCS. MOV DR exits until the guest's registers are loaded.
 */
#include "arch/x86_64/debug.h"
#include "arch/x86_64/vmx/vmx.h"

#define DR6_CAUSES 0x600full /* B0-B3, BD, BS: as the exit qualification has them, table 28-1 */

void vmx_debug_load(struct vmx_vcpu *v)
{
    if (v->debug_loaded)
        return;
    debug_write(v->dr);
    debug_write_dr6(v->dr6);
    v->debug_loaded = true;
    vmx_set_cpu_controls(v, v->cpu_controls & ~CPU_MOV_DR);
}

void vmx_debug_unload(struct vmx_vcpu *v)
{
    if (!v->debug_loaded)
        return;
    debug_read(v->dr);
    v->dr6 = debug_read_dr6();
    v->debug_loaded = false;
    v->debug_eager = vmcs_read(VMCS_GUEST_DR7) & DR7_ENABLES;
    vmx_set_cpu_controls(v, v->cpu_controls | CPU_MOV_DR);
}

int vmx_exit_dr(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    vmx_debug_load(v);
    return EXIT_RESUME; /* the CPU does the instruction, now without an exit */
}

/* SDM vol. 3, 28.2.1: the exit has not updated DR6 and DR7 as the exception's delivery would have. */
void vmx_debug_exception(struct vmx_vcpu *v, uint32_t info, uint64_t qualification)
{
    vmx_debug_load(v);
    debug_write_dr6((debug_read_dr6() & ~DR6_BREAKPOINTS) | (qualification & DR6_CAUSES));
    vmcs_write(VMCS_GUEST_DR7, vmcs_read(VMCS_GUEST_DR7) & ~DR7_GENERAL_DETECT);
    /* A step over STI or MOV SS: with blocking and TF the entry wants the trap to be pending, 27.3.1.5 */
    if ((vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF) &&
        (vmcs_read32(VMCS_INTERRUPTIBILITY) & (LEAT_BLOCKED_BY_STI | LEAT_BLOCKED_BY_MOV_SS)))
        vmcs_write(VMCS_PENDING_DEBUG, PENDING_SINGLE_STEP);
    v->inject = info & EVENT_DEFINED;
    v->inject_length = vmcs_read32(VMCS_EXIT_INSN_LENGTH);
}
