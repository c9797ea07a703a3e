// SPDX-License-Identifier: BSD-2-Clause
/*
 * Between the vCPU page and the VMCB. Of the page each value is read once. VMRUN checks less than
 * VM entry of VT-x: what could harm the host, or is no state of a CPU, is refused here.
 */
#include "arch/x86_64/checks.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/debug.h"
#include "arch/x86_64/svm/svm.h"

#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_DEFINED 0x3f7fd7ull
#define ACCESS_PRESENT (1u << 7)
#define ACCESS_UNUSABLE (1u << 16)
#define ACCESS_DPL(access) ((access) >> 5 & 3)

static const uint8_t segment_at[LEAT_SEGS] = {VMCB_ES, VMCB_CS,   VMCB_SS, VMCB_DS,   VMCB_FS,
                                              VMCB_GS, VMCB_LDTR, VMCB_TR, VMCB_GDTR, VMCB_IDTR};

static void done_by_vmm(struct svm_vcpu *v, uint64_t *rflags, uint32_t *interruptibility)
{
    *interruptibility &= LEAT_BLOCKED_BY_NMI;
    if (*rflags & RFLAGS_TF) {
        svm_raise(v, VECTOR_DB, false);
        v->vmcb->dr6 |= DR6_SINGLE_STEP;
    }
    *rflags &= ~RFLAGS_RF;
}

static bool load_rip(struct svm_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t rip = VCPU_READ(page->rip), rflags = VCPU_READ(page->rflags);
    uint32_t interruptibility = VCPU_READ(page->interruptibility);
    if ((rflags & ~RFLAGS_DEFINED) || !(rflags & RFLAGS_FIXED) || !cpu_is_canonical(rip))
        return false;
    if (v->next_rip ? rip == v->next_rip : rip - v->rip - 1 < 15) /* as in vmx/state.c */
        done_by_vmm(v, &rflags, &interruptibility);
    v->vmcb->rip = rip;
    v->vmcb->rflags = rflags;
    v->vmcb->shadow = (interruptibility & (LEAT_BLOCKED_BY_STI | LEAT_BLOCKED_BY_MOV_SS)) != 0;
    v->nmi_blocked = interruptibility & LEAT_BLOCKED_BY_NMI;
    svm_intercept(v, ICPT_IRET, v->nmi_blocked);
    return true;
}

static bool load_segments(struct svm_vcpu *v)
{
    const struct leat_segment *from = v->base.page->seg;
    for (unsigned i = 0; i < LEAT_SEGS; i++, from++) {
        struct vmcb_segment *to = &v->vmcb->seg[segment_at[i]];
        uint32_t access = VCPU_READ(from->access);
        uint64_t base = VCPU_READ(from->base);
        if (!cpu_is_canonical(base))
            return false;
        if (access & ACCESS_UNUSABLE)
            access &= ~ACCESS_PRESENT;
        if (i == LEAT_SS)
            v->vmcb->cpl = ACCESS_DPL(access);
        to->selector = VCPU_READ(from->selector);
        to->attributes = (uint16_t)((access & 0xff) | (access >> 4 & 0xf00));
        to->limit = VCPU_READ(from->limit);
        to->base = i < LEAT_FS ? (uint32_t)base : base;
    }
    return true;
}

static void store_segments(struct svm_vcpu *v)
{
    struct leat_segment *to = v->base.page->seg;
    for (unsigned i = 0; i < LEAT_SEGS; i++, to++) {
        const struct vmcb_segment *from = &v->vmcb->seg[segment_at[i]];
        uint32_t access = (from->attributes & 0xffu) | (from->attributes & 0xf00u) << 4;
        if (i == LEAT_SS) /* SS may be null in ring 3 of 64-bit mode: VT-x keeps the level there */
            access = (access & ~(3u << 5)) | v->vmcb->cpl << 5;
        to->selector = from->selector;
        to->access = access | (access & ACCESS_PRESENT ? 0 : ACCESS_UNUSABLE);
        to->limit = from->limit;
        to->base = from->base;
    }
}

static bool load_syscall(struct svm_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t *to = &v->vmcb->star;
    const uint64_t *from = &page->star; /* both in the same order */
    _Static_assert(offsetof(struct leat_vcpu, sysenter_eip) - offsetof(struct leat_vcpu, star) ==
                           offsetof(struct vmcb, sysenter_eip) - offsetof(struct vmcb, star) &&
                       offsetof(struct vmcb, sysenter_eip) - offsetof(struct vmcb, star) == 56,
                   "STAR LSTAR CSTAR SFMASK KERNEL_GS_BASE SYSENTER_CS, _ESP, _EIP");
    for (unsigned i = 0; i < 8; i++) {
        uint64_t value = VCPU_READ(from[i]);
        if (i != 0 && !cpu_is_canonical(value))
            return false;
        to[i] = value;
    }
    return true;
}

static bool load_misc(struct svm_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t xcr0 = VCPU_READ(page->xcr0), dr7 = VCPU_READ(page->dr7), pat = VCPU_READ(page->pat);
    if (fpu_xcr0()) {
        xcr0 = xcr0 ? xcr0 : 1;
        if (!xcr0_is_valid(xcr0, fpu_xcr0()))
            return false; /* XSETBV would fault in the host */
        v->base.xcr0 = xcr0;
    }
    if (dr7 >> 32 || !svm_pat_is_valid(pat))
        return false;
    v->vmcb->pat = pat;
    v->vmcb->dr7 = dr7;
    v->vmcb->tsc_offset = VCPU_READ(page->tsc_offset);
    return true;
}

bool svm_pat_is_valid(uint64_t pat)
{
    for (unsigned i = 0; i < 64; i += 8)
        if ((pat >> i & 0xff) > 7 || (pat >> i & 0xfe) == 2)
            return false;
    return true;
}

static bool load_cr(struct svm_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t cr3 = VCPU_READ(page->cr3);
    if (cr3 >> 52)
        return false;
    v->vmcb->cr3 = cr3;
    v->vmcb->cr2 = VCPU_READ(page->cr2);
    return svm_set_cr(v, VCPU_READ(page->cr0), VCPU_READ(page->cr4), VCPU_READ(page->efer));
}

int svm_load(struct vcpu *vcpu, uint32_t groups, uint32_t *group)
{
    struct svm_vcpu *v = svm_of(vcpu);
    v->vmcb->clean = 0;
    if (groups == LEAT_VCPU_ALL) { /* a reset: nothing of before is to be delivered */
        v->inject = 0;
        v->stepping = false;
    }
    if (groups & LEAT_VCPU_GPR)
        v->vmcb->rsp = VCPU_READ(vcpu->page->gpr[LEAT_RSP]);
    *group = LEAT_VCPU_RIP;
    if ((groups & LEAT_VCPU_RIP) && !load_rip(v))
        return LEAT_EINVAL;
    *group = LEAT_VCPU_CR;
    if ((groups & LEAT_VCPU_CR) && !load_cr(v))
        return LEAT_EINVAL;
    *group = LEAT_VCPU_SEG;
    if ((groups & LEAT_VCPU_SEG) && !load_segments(v))
        return LEAT_EINVAL;
    *group = LEAT_VCPU_SYSCALL;
    if ((groups & LEAT_VCPU_SYSCALL) && !load_syscall(v))
        return LEAT_EINVAL;
    *group = LEAT_VCPU_MISC;
    if ((groups & LEAT_VCPU_MISC) && !load_misc(v))
        return LEAT_EINVAL;
    return LEAT_OK;
}

void svm_store(struct vcpu *vcpu, uint32_t groups)
{
    struct svm_vcpu *v = svm_of(vcpu);
    const struct vmcb *c = v->vmcb;
    struct leat_vcpu *page = vcpu->page;
    if (groups & LEAT_VCPU_GPR) /* the others are in the page already */
        page->gpr[LEAT_RSP] = c->rsp;
    if (groups & LEAT_VCPU_RIP) {
        page->rip = c->rip;
        page->rflags = c->rflags;
        page->interruptibility =
            (c->shadow & 1 ? LEAT_BLOCKED_BY_STI : 0) | (v->nmi_blocked ? LEAT_BLOCKED_BY_NMI : 0);
    }
    if (groups & LEAT_VCPU_CR) {
        page->cr0 = svm_cr0(v);
        page->cr2 = c->cr2;
        page->cr3 = c->cr3;
        page->cr4 = svm_cr4(v);
        page->efer = c->efer & ~EFER_SVME;
    }
    if (groups & LEAT_VCPU_SEG)
        store_segments(v);
    if (groups & LEAT_VCPU_SYSCALL)
        __builtin_memcpy(&page->star, &c->star, 64);
    if (groups & LEAT_VCPU_MISC) {
        page->pat = c->pat;
        page->dr7 = c->dr7;
        page->tsc_offset = c->tsc_offset;
        page->xcr0 = vcpu->xcr0;
    }
}
