// SPDX-License-Identifier: BSD-2-Clause
/* Into the guest and back, and what is delivered to it on the way in. */
#include "arch/x86_64/debug.h"
#include "arch/x86_64/mitigate.h"
#include "arch/x86_64/svm/svm.h"
#include "kernel/sched.h"
#include "kernel/smp.h"

#define NOWHERE (1ull << 63) /* not canonical */

static bool can_interrupt(const struct svm_vcpu *v)
{
    return (v->vmcb->rflags & RFLAGS_IF) && !(v->vmcb->shadow & 1);
}

static bool can_nmi(const struct svm_vcpu *v)
{
    return !v->nmi_blocked && !(v->vmcb->shadow & 1);
}

static bool is_nmi(uint32_t event)
{
    return (event >> 8 & 7) == LEAT_EVENT_NMI;
}

bool svm_is_ready(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    return v->inject || (vcpu->event && (!is_nmi(vcpu->event) || can_nmi(v))) ||
           (vcpu->irq_vector >= 0 && can_interrupt(v));
}

/* The guest leaves as soon as it could take an interrupt: a virtual one is pending, but exits instead. */
void svm_want_window(struct svm_vcpu *v, bool is_wanted)
{
    uint64_t control = V_INTR_MASKING | (is_wanted ? V_IRQ | V_PRIORITY | V_IGNORE_TPR : 0);
    svm_intercept(v, ICPT_VINTR, is_wanted);
    if (v->vmcb->interrupt_control != control) {
        v->vmcb->interrupt_control = control;
        v->vmcb->clean &= ~CLEAN_TPR;
    }
}

static void want_nmi_window(struct svm_vcpu *v, bool is_used)
{
    if (is_used) /* something else goes first: come back right behind it */
        timer_need_interrupt_at(rdtsc());
    else if (!v->nmi_blocked && !v->stepping)
        svm_step(v, false);
    /* else IRET exits */
}

/* One event at an entry, in the order that vmx/run.c has them too. */
static int deliver(struct svm_vcpu *v)
{
    struct vcpu *vcpu = &v->base;
    bool is_used = v->inject != 0, is_waiting = false;
    int exit = VIRT_CHECK;
    v->vmcb->inject = v->inject;
    v->inject = 0;
    if (vcpu->event) {
        if (is_nmi(vcpu->event) && (is_used || !can_nmi(v))) {
            want_nmi_window(v, is_used);
        } else {
            v->vmcb->inject = vcpu->event | (uint64_t)vcpu->event_error << 32;
            if (is_nmi(vcpu->event)) {
                v->nmi_blocked = true;
                svm_intercept(v, ICPT_IRET, true);
            }
            is_used = true;
            vcpu->event = 0;
            vcpu->page->event = 0;
        }
    }
    if (vcpu->irq_vector >= 0) {
        if (is_used || !can_interrupt(v)) {
            /* QEMU's VMRUN forgets the shadow: by a window it would take the interrupt before HLT. */
            is_waiting = is_used || !(v->vmcb->shadow & 1) || v->stepping;
            if (!is_waiting)
                svm_step(v, false);
        } else {
            v->inject = LEAT_EVENT(LEAT_EVENT_INTERRUPT, vcpu->irq_vector);
            vcpu->irq_vector = -1;
            vcpu->page->irq_vector = -1;
            if (vcpu->report_injected) {
                exit =
                    LEAT_EXIT_IRQ_WINDOW; /* it is delivered at the next entry, before all else */
            } else {
                v->vmcb->inject = v->inject;
                v->inject = 0;
            }
        }
    }
    svm_want_window(v, is_waiting);
    return exit;
}

/* QEMU 7.2, which has no next RIP, keeps the vector of an EVENTINJ interrupt as that of an exception, and delivers it once
 * more when it is next kicked without an interrupt. A virtual interrupt does the same, for IF is set, unless the window
 * needs that; on Bochs it does not. APM vol. 2, 15.21.4 */
static void make_virtual(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    if (svm_capability.has_next_rip || !(c->inject & LEAT_EVENT_VALID) ||
        (c->inject >> 8 & 7) != LEAT_EVENT_INTERRUPT || (c->interrupt_control & V_IRQ) ||
        !can_interrupt(v))
        return;
    c->interrupt_control |= V_IRQ | V_PRIORITY | V_IGNORE_TPR | (c->inject & 0xff) << V_VECTOR;
    c->clean &= ~CLEAN_TPR;
    c->inject = 0;
    v->is_virtual = true;
}

/* At an exit: what was not delivered is to be delivered again. */
void svm_end_virtual(struct svm_vcpu *v)
{
    uint64_t control = v->vmcb->interrupt_control;
    /* QEMU's VMRUN sets V_IRQ in a word that its device threads write too, without a lock, and so loses a host's
     * interrupt now and then: the APIC, told its priority, looks again. */
    if (v->has_raced)
        __asm__ volatile("mov %0, %%cr8" : : "r"(0ull) : "memory");
    v->has_raced = false;
    if (!v->is_virtual)
        return;
    if (control & V_IRQ)
        v->inject = LEAT_EVENT(LEAT_EVENT_INTERRUPT, control >> V_VECTOR & 0xff);
    v->vmcb->interrupt_control = V_INTR_MASKING;
    v->vmcb->clean &= ~CLEAN_TPR;
    v->is_virtual = false;
}

int svm_run(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    uint64_t *gpr = vcpu->page->gpr;
    v->next_rip = 0;
    do {
        if (vcpu->deadline_tsc && rdtsc() >= vcpu->deadline_tsc)
            return LEAT_EXIT_DEADLINE;
        /* Last before the entry: what the VMCB is told to deliver must not be overwritten unseen. */
        if ((v->inject | vcpu->event) || vcpu->irq_vector >= 0) {
            int exit = deliver(v);
            if (exit != VIRT_CHECK)
                return exit;
            make_virtual(v);
        }
        v->has_raced = !svm_capability.has_next_rip && (v->vmcb->interrupt_control & V_IRQ);
        svm_choose_asid(v);
        v->vmcb->rax = VCPU_READ(gpr[LEAT_RAX]);
        v->shadow_rip = (v->vmcb->shadow & 1) && !v->vmcb->inject ? v->vmcb->rip : NOWHERE;
        kernel_unlock();
        mitigate_enter(vcpu);
        svm_enter(gpr, ptr_to_phys(v->vmcb).raw, this_cpu()->virt->host_vmcb);
        mitigate_leave();
        if (v->vmcb->dr7 & DR7_ENABLES) /* an exit has done that; but not QEMU's */
            debug_write_dr7(DR7_OFF);
        kernel_lock();
        gpr[LEAT_RAX] = v->vmcb->rax;
        int exit = svm_handle_exit(v);
        if (exit != EXIT_RESUME)
            return exit;
    } while (!sched_need_resched() && !vcpu->kicked);
    return VIRT_CHECK;
}
