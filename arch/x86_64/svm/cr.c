// SPDX-License-Identifier: BSD-2-Clause
/*
 * Control registers, EFER and PAT. A MOV that changes a bit which matters to the host exits, and is done here
 * as the CPU would have. Of CR0 the host keeps CD and NW, of CR4 MCE; reads exit while the guest believes
 * otherwise than is. EFER.SVME is always on, and never seen.
 */
#include "arch/x86_64/checks.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/svm/insn.h"
#include "arch/x86_64/svm/svm.h"

#define CR0_HIDDEN (CR0_CD_BIT | CR0_NW_BIT)
#define CR0_TS_BIT (1ull << 3)
#define CR0_LMSW 0xfull
#define CR3_PCID 0xfffull
#define GPR_IN_INFO (1ull << 63) /* APM vol. 2, 15.32.1: bits 3:0 of EXITINFO1 are the register */

uint64_t svm_cr0(const struct svm_vcpu *v)
{
    return v->vmcb->cr0 | v->cr0_hidden;
}

uint64_t svm_cr4(const struct svm_vcpu *v)
{
    return v->cr4_mce ? v->vmcb->cr4 : v->vmcb->cr4 & ~CR4_MCE;
}

bool svm_set_cr(struct svm_vcpu *v, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    struct vmcb *c = v->vmcb;
    bool is_paging = cr0 & CR0_PG, is_long = is_paging && (efer & EFER_LME);
    if (!cr0_is_valid(cr0) || (cr4 & ~svm_capability.cr4_guest) || (efer & ~EFER_GUEST_MAY) ||
        (is_long && !(cr4 & CR4_PAE)) || (!is_long && (cr4 & CR4_PCIDE_BIT)))
        return false;
    v->cr0_hidden = cr0 & CR0_HIDDEN;
    v->cr4_mce = cr4 & CR4_MCE;
    c->cr0 = (cr0 & ~CR0_HIDDEN) | CR0_ET;
    c->cr4 = cr4 | CR4_MCE;
    c->efer = (efer & ~EFER_LMA) | (is_long ? EFER_LMA : 0) | EFER_SVME;
    c->cr_reads = (uint16_t)(1 << 8 | (v->cr0_hidden ? 1 : 0) | (v->cr4_mce ? 0 : 1 << 4));
    c->cr_writes = (uint16_t)(1 << 8 | 1 << 4 | (v->cr0_hidden ? 1 : 0));
    c->clean &= ~(CLEAN_CR | CLEAN_INTERCEPTS);
    v->flush = true;
    return true;
}

/* MOV to CR0 or CR4 by the guest: what it must not do besides, APM vol. 3, MOV CRn. */
static int write_cr(struct svm_vcpu *v, unsigned length, uint64_t cr0, uint64_t cr4)
{
    struct vmcb *c = v->vmcb;
    bool was_paging = c->cr0 & CR0_PG, is_64 = svm_is_64(v);
    bool is_bad = (c->efer & EFER_LMA) && !(cr4 & CR4_PAE);
    is_bad |= is_64 && !(cr0 & CR0_PG);
    is_bad |= (c->efer & EFER_LMA) && ((c->cr4 ^ cr4) & CR4_LA57);
    is_bad |= !was_paging && (cr0 & CR0_PG) && (c->efer & EFER_LME) &&
              (c->seg[VMCB_CS].attributes & 1 << 9);
    is_bad |= !(c->cr4 & CR4_PCIDE_BIT) && (cr4 & CR4_PCIDE_BIT) && (c->cr3 & CR3_PCID);
    if (is_bad || !svm_set_cr(v, cr0, cr4, c->efer & EFER_GUEST_MAY))
        return svm_raise(v, VECTOR_GP, true);
    svm_skip(v, length);
    return EXIT_RESUME;
}

static uint64_t read_gpr(const struct svm_vcpu *v, unsigned gpr)
{
    return gpr == LEAT_RSP ? v->vmcb->rsp : VCPU_READ(v->base.page->gpr[gpr]);
}

static int read_cr(struct svm_vcpu *v, unsigned gpr, unsigned length, uint64_t value)
{
    if (gpr == LEAT_RSP)
        v->vmcb->rsp = value;
    else
        v->base.page->gpr[gpr] = value;
    svm_skip(v, length);
    return EXIT_RESUME;
}

/* LMSW, CLTS and SMSW with a register; the forms with memory are for nobody since the 80286. */
static int exit_old_cr0(struct svm_vcpu *v, const struct svm_insn *insn)
{
    uint64_t cr0 = svm_cr0(v), operand = read_gpr(v, insn->rm) & CR0_LMSW;
    if (insn->opcode == INSN_CLTS)
        return write_cr(v, insn->length, cr0 & ~CR0_TS_BIT, svm_cr4(v));
    if (insn->opcode == INSN_GROUP_7 && insn->is_register && insn->reg == 6)
        return write_cr(v, insn->length, (cr0 & (~CR0_LMSW | CR0_PE)) | operand, svm_cr4(v));
    if (insn->opcode == INSN_GROUP_7 && insn->is_register && insn->reg == 4)
        return read_cr(v, insn->rm, insn->length, cr0);
    return svm_unhandled(v);
}

int svm_exit_cr(struct svm_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint64_t info = v->vmcb->exit_info_1;
    unsigned code = (unsigned)v->vmcb->exit_code, number = code % 16;
    bool is_read = code < SVM_CR_WRITE;
    struct svm_insn insn = {.length = 3, .opcode = INSN_MOV_TO_CR, .rm = info & 15};
    if (code == SVM_CR0_SELECTIVE)
        number = 0;
    if (!svm_capability.has_decode || !(info & GPR_IN_INFO)) {
        if (!svm_fetch_insn(v, &insn))
            return svm_unhandled(v);
        if (insn.opcode != INSN_MOV_TO_CR && insn.opcode != INSN_MOV_FROM_CR)
            return exit_old_cr0(v, &insn);
    }
    if (number == 8) {
        page->detail.cr8 = (struct leat_exit_cr8){.is_read = is_read, .gpr = insn.rm};
        return svm_to_vmm(v, LEAT_EXIT_CR8, insn.length);
    }
    if (is_read)
        return read_cr(v, insn.rm, insn.length, number == 0 ? svm_cr0(v) : svm_cr4(v));
    uint64_t value = read_gpr(v, insn.rm);
    return number == 0 ? write_cr(v, insn.length, value, svm_cr4(v))
                       : write_cr(v, insn.length, svm_cr0(v), value);
}

static bool write_efer(struct svm_vcpu *v, uint64_t value)
{
    struct vmcb *c = v->vmcb;
    if ((value & ~EFER_GUEST_MAY) || ((c->cr0 & CR0_PG) && ((value ^ c->efer) & EFER_LME)))
        return false;
    return svm_set_cr(v, svm_cr0(v), svm_cr4(v), value);
}

int svm_exit_msr(struct svm_vcpu *v)
{
    struct vcpu *vcpu = &v->base;
    bool is_write = v->vmcb->exit_info_1, is_good = true;
    uint64_t value = exits_operand(vcpu);
    vcpu_count(vcpu, is_write ? LEAT_COUNT_MSR_WRITE : LEAT_COUNT_MSR_READ);
    switch (exits_index(vcpu)) {
    case MSR_EFER:
        is_good = !is_write || write_efer(v, value);
        value = v->vmcb->efer & ~EFER_SVME;
        break;
    case MSR_PAT:
        is_good = !is_write || svm_pat_is_valid(value);
        if (is_write && is_good) {
            v->vmcb->pat = value;
            v->vmcb->clean = 0;
        }
        value = v->vmcb->pat;
        break;
    case MSR_LSTAR: /* reads do not exit; QEMU's CPU would take any value */
    case MSR_CSTAR:
        is_good = cpu_is_canonical(value);
        if (is_good)
            *(exits_index(vcpu) == MSR_LSTAR ? &v->vmcb->lstar : &v->vmcb->cstar) = value;
        break;
    case MSR_TSC_AUX:
        if (svm_capability.has_rdtscp) {
            is_good = !is_write || !(value >> 32);
            if (is_write && is_good)
                this_cpu()->virt->tsc_aux = v->tsc_aux = value;
            wrmsr(MSR_TSC_AUX, v->tsc_aux);
            value = v->tsc_aux;
            break;
        }
        /* fall through */
    default:
        return svm_to_vmm(v, is_write ? exits_wrmsr(vcpu) : exits_rdmsr(vcpu), 2);
    }
    if (!is_good)
        return svm_raise(v, VECTOR_GP, true);
    if (!is_write)
        exits_give(vcpu, value);
    svm_skip(v, 2);
    return EXIT_RESUME;
}
