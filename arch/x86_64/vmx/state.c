// SPDX-License-Identifier: BSD-2-Clause
/*
 * Between the vCPU page and the VMCS. Of the page each value is read once. Most need no check: VM
 * entry refuses what is wrong (SDM vol. 3, 27.3). Checked are those that the host itself would
 * load.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/vmx/vmx.h"

#define RFLAGS_RF (1ull << 16)
#define INTERRUPTIBILITY_MAY (LEAT_BLOCKED_BY_STI | LEAT_BLOCKED_BY_MOV_SS | LEAT_BLOCKED_BY_NMI)
#define BLOCKED_FOR_ONE (LEAT_BLOCKED_BY_STI | LEAT_BLOCKED_BY_MOV_SS)

uint64_t vmx_gpr(struct vmx_vcpu *v, unsigned index)
{
    return index == LEAT_RSP ? vmcs_read(VMCS_GUEST_RSP) : VCPU_READ(v->base.page->gpr[index]);
}

void vmx_finish_instruction(uint64_t *rflags, uint32_t *interruptibility)
{
    *interruptibility &= ~(uint32_t)BLOCKED_FOR_ONE;
    if (*rflags & RFLAGS_TF)
        vmcs_write(VMCS_PENDING_DEBUG, PENDING_SINGLE_STEP);
    *rflags &= ~RFLAGS_RF;
}

void vmx_skip(struct vmx_vcpu *v)
{
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    uint32_t interruptibility = vmcs_read32(VMCS_INTERRUPTIBILITY);
    vmcs_write(VMCS_GUEST_RIP, v->rip + vmcs_read32(VMCS_EXIT_INSN_LENGTH));
    if (__builtin_expect((rflags & (RFLAGS_TF | RFLAGS_RF)) || (interruptibility & BLOCKED_FOR_ONE),
                         0)) {
        vmx_finish_instruction(&rflags, &interruptibility);
        vmcs_write(VMCS_GUEST_RFLAGS, rflags);
        vmcs_write(VMCS_INTERRUPTIBILITY, interruptibility);
    }
}

static void load_rip(struct vmx_vcpu *v, bool is_first)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t rip = VCPU_READ(page->rip), rflags = VCPU_READ(page->rflags);
    uint32_t interruptibility = VCPU_READ(page->interruptibility) & INTERRUPTIBILITY_MAY;
    /* the vmm has done the instruction; of one that reads or writes MMIO only it knows the length */
    if (v->next_rip ? rip == v->next_rip : rip - v->rip - 1 < 15)
        vmx_finish_instruction(&rflags, &interruptibility);
    vmcs_write(VMCS_GUEST_RIP, rip);
    if (is_first || rflags != v->rflags)
        vmcs_write(VMCS_GUEST_RFLAGS, rflags);
    if (is_first || interruptibility != v->interruptibility)
        vmcs_write(VMCS_INTERRUPTIBILITY, interruptibility);
}

static void load_segments(struct vmx_vcpu *v)
{
    const struct leat_segment *segment = v->base.page->seg;
    for (unsigned i = 0; i < LEAT_SEGS; i++, segment++) {
        if (i < LEAT_GDTR) {
            vmcs_write(VMCS_GUEST_ES + 2 * i, VCPU_READ(segment->selector));
            vmcs_write(VMCS_GUEST_ES_ACCESS + 2 * i, VCPU_READ(segment->access));
        }
        vmcs_write(VMCS_GUEST_ES_LIMIT + 2 * i, VCPU_READ(segment->limit));
        vmcs_write(VMCS_GUEST_ES_BASE + 2 * i, VCPU_READ(segment->base));
    }
}

static void store_segments(struct vmx_vcpu *v)
{
    struct leat_segment *segment = v->base.page->seg;
    for (unsigned i = 0; i < LEAT_SEGS; i++, segment++) {
        if (i < LEAT_GDTR) {
            segment->selector = (uint16_t)vmcs_read(VMCS_GUEST_ES + 2 * i);
            segment->access = vmcs_read32(VMCS_GUEST_ES_ACCESS + 2 * i);
        }
        segment->limit = vmcs_read32(VMCS_GUEST_ES_LIMIT + 2 * i);
        segment->base = vmcs_read(VMCS_GUEST_ES_BASE + 2 * i);
    }
}

static bool load_syscall(struct vmx_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    struct virt_cpu *cpu = this_cpu()->virt;
    uint64_t lstar = VCPU_READ(page->lstar), cstar = VCPU_READ(page->cstar);
    uint64_t sfmask = VCPU_READ(page->sfmask), gs_base = VCPU_READ(page->kernel_gs_base);
    if (!cpu_is_canonical(lstar) || !cpu_is_canonical(cstar) || !cpu_is_canonical(gs_base) ||
        sfmask >> 32)
        return false; /* WRMSR would fault in the host */
    v->base.star = VCPU_READ(page->star);
    v->base.lstar = lstar;
    v->base.cstar = cstar;
    v->base.sfmask = sfmask;
    v->base.kernel_gs_base = gs_base;
    if (cpu->msrs_of == v)
        cpu->msrs_of = NULL; /* load them again */
    vmcs_write(VMCS_GUEST_SYSENTER_CS, VCPU_READ(page->sysenter_cs));
    vmcs_write(VMCS_GUEST_SYSENTER_ESP, VCPU_READ(page->sysenter_esp));
    vmcs_write(VMCS_GUEST_SYSENTER_EIP, VCPU_READ(page->sysenter_eip));
    return true;
}

static void store_syscall(struct vmx_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    page->star = v->base.star;
    page->lstar = v->base.lstar;
    page->cstar = v->base.cstar;
    page->sfmask = v->base.sfmask;
    page->kernel_gs_base = v->base.kernel_gs_base;
    page->sysenter_cs = vmcs_read(VMCS_GUEST_SYSENTER_CS);
    page->sysenter_esp = vmcs_read(VMCS_GUEST_SYSENTER_ESP);
    page->sysenter_eip = vmcs_read(VMCS_GUEST_SYSENTER_EIP);
}

static bool load_misc(struct vmx_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t xcr0 = VCPU_READ(page->xcr0), dr7 = VCPU_READ(page->dr7);
    if (fpu_xcr0()) {
        xcr0 = xcr0 ? xcr0 : 1;
        if (!xcr0_is_valid(xcr0, fpu_xcr0()))
            return false; /* XSETBV would fault in the host */
        v->base.xcr0 = xcr0;
    }
    vmcs_write(VMCS_GUEST_PAT, VCPU_READ(page->pat));
    vmcs_write(VMCS_TSC_OFFSET, VCPU_READ(page->tsc_offset));
    vmcs_write(VMCS_GUEST_DR7, dr7);
    if (dr7 & DR7_ENABLES)
        vmx_debug_load(v);
    return true;
}

static void store_misc(struct vmx_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    page->pat = vmcs_read(VMCS_GUEST_PAT);
    page->dr7 = vmcs_read(VMCS_GUEST_DR7);
    page->tsc_offset = vmcs_read(VMCS_TSC_OFFSET);
    page->xcr0 = v->base.xcr0;
}

int vmx_load(struct vcpu *vcpu, uint32_t groups, uint32_t *group)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    vmx_make_current(v);
    if (groups == LEAT_VCPU_ALL) { /* a reset: nothing of before is to be delivered */
        v->inject = 0;
        vmcs_write(VMCS_ENTRY_EVENT, 0);
        vmcs_write(VMCS_PENDING_DEBUG, 0);
    }
    if (groups & LEAT_VCPU_GPR) {
        uint64_t rsp = VCPU_READ(vcpu->page->gpr[LEAT_RSP]);
        if (vcpu->is_new || rsp != v->rsp)
            vmcs_write(VMCS_GUEST_RSP, rsp);
    }
    if (groups & LEAT_VCPU_RIP)
        load_rip(v, vcpu->is_new);
    *group = LEAT_VCPU_CR;
    if ((groups & LEAT_VCPU_CR) && !vmx_load_cr(v))
        return LEAT_EINVAL;
    if (groups & LEAT_VCPU_SEG)
        load_segments(v);
    if (groups & LEAT_VCPU_APIC)
        vmx_apic_load(v);
    *group = LEAT_VCPU_SYSCALL;
    if ((groups & LEAT_VCPU_SYSCALL) && !load_syscall(v))
        return LEAT_EINVAL;
    *group = LEAT_VCPU_MISC;
    if ((groups & LEAT_VCPU_MISC) && !load_misc(v))
        return LEAT_EINVAL;
    return LEAT_OK;
}

void vmx_store(struct vcpu *vcpu, uint32_t groups)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    struct leat_vcpu *page = vcpu->page;
    vmx_make_current(v);
    if (groups & LEAT_VCPU_GPR) /* the others are in the page already */
        page->gpr[LEAT_RSP] = v->rsp = vmcs_read(VMCS_GUEST_RSP);
    if (groups & LEAT_VCPU_RIP) {
        page->rip = vmcs_read(VMCS_GUEST_RIP);
        page->rflags = v->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
        page->interruptibility = v->interruptibility = vmcs_read32(VMCS_INTERRUPTIBILITY);
    }
    if (groups & LEAT_VCPU_CR)
        vmx_store_cr(v);
    if (groups & LEAT_VCPU_SEG)
        store_segments(v);
    if (groups & LEAT_VCPU_SYSCALL)
        store_syscall(v);
    if (groups & LEAT_VCPU_MISC)
        store_misc(v);
}
