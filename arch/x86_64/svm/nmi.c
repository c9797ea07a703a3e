// SPDX-License-Identifier: BSD-2-Clause
/*
 * The end of NMI blocking, and what else an NMI must wait for. AMD-V tells of an IRET before it is done; so
 * it is stepped over by the trap flag, and so is an instruction in an interrupt shadow.
 */
#include "arch/x86_64/debug.h"
#include "arch/x86_64/svm/svm.h"

void svm_step(struct svm_vcpu *v, bool is_iret)
{
    v->stepping = true;
    v->step_is_iret = is_iret;
    v->step_rip = v->vmcb->rip;
    v->step_tf = v->vmcb->rflags & RFLAGS_TF;
    v->vmcb->rflags |= RFLAGS_TF;
}

/* At the exit after svm_step. IRET, once done, has loaded a TF that is the guest's own. */
bool svm_step_end(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    bool is_trap = c->exit_code == SVM_EXCEPTION + VECTOR_DB;
    bool is_done = is_trap || c->rip != v->step_rip;
    v->stepping = false;
    if (!is_done || !v->step_is_iret)
        c->rflags = (c->rflags & ~RFLAGS_TF) | v->step_tf;
    if (v->step_is_iret) {
        v->nmi_blocked = !is_done;
        svm_intercept(v, ICPT_IRET, !is_done);
    }
    if (!is_trap || v->step_tf)
        return false;
    c->dr6 &= ~DR6_SINGLE_STEP; /* nobody but us wanted it */
    c->clean &= ~CLEAN_DR;
    return !(c->dr6 & DR6_BREAKPOINTS);
}
