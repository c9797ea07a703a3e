// SPDX-License-Identifier: BSD-2-Clause
/*
 * Control registers. With an unrestricted guest and EPT almost all bits are the guest's own. A MOV
 * that changes one of the few that the host keeps exits; what the guest believes about those is in
 * the read shadows. When the new value is legal, the shadow is set to it and the instruction is
 * tried again: now that the host's bits agree with the shadow, the CPU does all the rest (LMA,
 * PDPTEs, TLB, faults) by itself.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/checks.h"
#include "arch/x86_64/vmx/vmx.h"

#define EFER_LMA (1ull << 10)

/* Exit qualification of control-register accesses: SDM vol. 3, table 28-3 */
#define CR_NUMBER(q) ((q)&15)
#define CR_ACCESS(q) (((q) >> 4) & 3)
#define CR_GPR(q) (((q) >> 8) & 15)
enum { CR_MOV_TO = 0, CR_MOV_FROM = 1 };

bool vmx_load_cr(struct vmx_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t cr0 = VCPU_READ(page->cr0), cr4 = VCPU_READ(page->cr4);
    uint64_t efer = VCPU_READ(page->efer);
    uint64_t may = vmx_capability.cr4_guest;
    if (cr4 & ~may)
        return false;
    vmcs_write(VMCS_CR0_MASK, CR0_HOST_OWNED);
    vmcs_write(VMCS_CR0_SHADOW, cr0);
    vmcs_write(VMCS_GUEST_CR0, cr0_for_cpu(cr0));
    vmcs_write(VMCS_CR4_MASK, cr4_host_owned(may));
    vmcs_write(VMCS_CR4_SHADOW, cr4);
    vmcs_write(VMCS_GUEST_CR4, cr4_for_cpu(cr4, may, read_cr4()));
    vmcs_write(VMCS_GUEST_CR3, VCPU_READ(page->cr3));
    vmcs_write(VMCS_GUEST_EFER, efer);
    vmcs_write(VMCS_ENTRY_CONTROLS, vmx_capability.entry | (efer & EFER_LMA ? ENTRY_GUEST_64 : 0));
    v->base.cr2 = VCPU_READ(page->cr2);
    vmx_flush_vpid(v);
    return true;
}

static uint64_t read_owned(enum vmcs_field field, enum vmcs_field shadow, uint64_t owned)
{
    return (vmcs_read(field) & ~owned) | (vmcs_read(shadow) & owned);
}

void vmx_store_cr(struct vmx_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    page->cr0 = read_owned(VMCS_GUEST_CR0, VMCS_CR0_SHADOW, CR0_HOST_OWNED);
    page->cr2 = v->base.cr2;
    page->cr3 = vmcs_read(VMCS_GUEST_CR3);
    page->cr4 =
        read_owned(VMCS_GUEST_CR4, VMCS_CR4_SHADOW, cr4_host_owned(vmx_capability.cr4_guest));
    page->efer = vmcs_read(VMCS_GUEST_EFER);
}

static int write_cr(struct vmx_vcpu *v, unsigned number, uint64_t value)
{
    bool is_good = number == 0 ? cr0_is_valid(value) : !(value & ~vmx_capability.cr4_guest);
    if (!is_good)
        vmx_raise(v, VECTOR_GP, true);
    else
        vmcs_write(number == 0 ? VMCS_CR0_SHADOW : VMCS_CR4_SHADOW, value);
    return EXIT_RESUME;
}

int vmx_exit_cr(struct vmx_vcpu *v, uint64_t qualification)
{
    struct leat_vcpu *page = v->base.page;
    unsigned number = CR_NUMBER(qualification), gpr = CR_GPR(qualification);
    bool is_read = CR_ACCESS(qualification) == CR_MOV_FROM;
    if (number == 8) {
        v->next_rip = v->rip + vmcs_read32(VMCS_EXIT_INSN_LENGTH);
        page->next_rip = v->next_rip;
        page->detail.cr8 = (struct leat_exit_cr8){.is_read = is_read, .gpr = (uint8_t)gpr};
        return LEAT_EXIT_CR8;
    }
    if (CR_ACCESS(qualification) == CR_MOV_TO && (number == 0 || number == 4))
        return write_cr(v, number, vmx_gpr(v, gpr));
    return vmx_unhandled(v, VMX_CR_ACCESS, qualification);
}

int vmx_exit_xsetbv(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    /* SDM vol. 3, 26.1.1: its privilege is checked before the exit; emulators do it after */
    bool is_ring0 = !(vmcs_read32(VMCS_GUEST_ES_ACCESS + 2 * LEAT_SS) >> 5 & 3);
    if (is_ring0 && exits_xsetbv(&v->base))
        vmx_skip(v);
    else
        vmx_raise(v, VECTOR_GP, true);
    return EXIT_RESUME;
}
