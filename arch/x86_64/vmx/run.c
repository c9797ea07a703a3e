// SPDX-License-Identifier: BSD-2-Clause
/* Into the guest and back, and what is delivered to it on the way in. */
#include "arch/x86_64/mitigate.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/sched.h"
#include "kernel/smp.h"

#define RFLAGS_IF (1ull << 9)
#define NO_INTERRUPT (LEAT_BLOCKED_BY_STI | LEAT_BLOCKED_BY_MOV_SS)
#define NO_NMI (LEAT_BLOCKED_BY_STI | LEAT_BLOCKED_BY_MOV_SS | LEAT_BLOCKED_BY_NMI)

_Static_assert(offsetof(struct percpu, vmx_host_rsp) == PERCPU_VMX_HOST_RSP, "entry.S finds it");

bool vmx_can_interrupt(void)
{
    return (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
           !(vmcs_read32(VMCS_INTERRUPTIBILITY) & NO_INTERRUPT);
}

static bool can_nmi(void)
{
    return !(vmcs_read32(VMCS_INTERRUPTIBILITY) & NO_NMI);
}

static bool is_nmi(uint32_t event)
{
    return EVENT_TYPE(event) == LEAT_EVENT_NMI;
}

bool vmx_is_ready(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    vmx_make_current(v);
    return v->inject || (vcpu->event && (!is_nmi(vcpu->event) || can_nmi())) ||
           ((vcpu->irq_vector >= 0 || (v->apic_on && vmx_apic_is_pending(v))) &&
            vmx_can_interrupt());
}

static void enter_event(uint32_t info, uint32_t error, uint32_t length)
{
    vmcs_write(VMCS_ENTRY_EVENT, info);
    if (info & LEAT_EVENT_HAS_ERROR)
        vmcs_write(VMCS_ENTRY_EVENT_ERROR, error);
    if (EVENT_TYPE(info) >= EVENT_SOFTWARE_INTERRUPT)
        vmcs_write(VMCS_ENTRY_INSN_LENGTH, length);
}

/*
 * One event can be delivered at an entry. First comes what the kernel owes: an event whose delivery
 * an exit interrupted, or a fault of the last instruction. An exception of the vmm's takes its
 * place, as it is the vmm that knows how the instruction ended. For what must wait a window exit is
 * asked for.
 */
static int deliver(struct vmx_vcpu *v)
{
    struct vcpu *vcpu = &v->base;
    uint32_t controls = v->cpu_controls & ~(CPU_IRQ_WINDOW | CPU_NMI_WINDOW);
    bool is_used = v->inject != 0;
    int exit = VIRT_CHECK;
    if (v->inject)
        enter_event(v->inject, v->inject_error, v->inject_length);
    v->inject = 0;
    if (vcpu->event) {
        if (is_nmi(vcpu->event) && (is_used || !can_nmi())) {
            controls |= CPU_NMI_WINDOW;
        } else {
            enter_event(vcpu->event, vcpu->event_error, 0);
            is_used = true;
            vcpu->event = 0;
            vcpu->page->event = 0;
        }
    }
    if (vcpu->irq_vector >= 0) {
        if (is_used || !vmx_can_interrupt()) {
            controls |= CPU_IRQ_WINDOW;
        } else {
            uint32_t info = LEAT_EVENT(LEAT_EVENT_INTERRUPT, vcpu->irq_vector);
            vcpu->irq_vector = -1;
            vcpu->page->irq_vector = -1;
            if (vcpu->report_injected) { /* it is delivered at the next entry, before all else */
                v->inject = info;
                exit = LEAT_EXIT_IRQ_WINDOW;
            } else {
                enter_event(info, 0, 0);
            }
        }
    }
    vmx_set_cpu_controls(v, controls);
    return exit;
}

/* false: the deadline has passed. */
static inline bool set_timer(struct vmx_vcpu *v)
{
    uint32_t timer = vmx_capability.timer_most;
    if (v->base.deadline_tsc) {
        uint64_t now = rdtsc();
        if (now >= v->base.deadline_tsc)
            return false;
        uint64_t ticks = ((v->base.deadline_tsc - now) >> vmx_capability.timer_shift) + 1;
        timer = ticks < timer ? (uint32_t)ticks : timer;
    }
    if (timer != v->timer && vmx_capability.has_timer) {
        v->timer = timer;
        vmcs_write(VMCS_PREEMPTION_TIMER, timer);
    }
    return true;
}

/* VMLAUNCH or VMRESUME refused the controls or the host's state. */
static int entry_refused(struct vmx_vcpu *v)
{
    v->base.page->detail.invalid = (struct leat_exit_code){.reason = vmcs_read32(VMCS_INSN_ERROR)};
    vmcs_write(VMCS_ENTRY_EVENT, 0);
    return LEAT_EXIT_INVALID;
}

/* Where the host's interrupts wait while a guest keeps its own off, as in Bochs, exits in a row must
 * not keep them waiting: the timer starts anew at each entry. */
static inline void let_interrupts_in(struct vmx_vcpu *v)
{
    uint64_t now = rdtsc();
    if ((now - v->window_tsc) >> vmx_capability.timer_shift < vmx_capability.timer_most)
        return;
    v->window_tsc = now;
    arch_interrupt_window();
}

int vmx_run(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    uint64_t *gpr = vcpu->page->gpr;
    v->next_rip = 0;
    do {
        if (!set_timer(v))
            return LEAT_EXIT_DEADLINE;
        /* Last before the entry: what the VMCS is told to deliver must not be overwritten unseen. */
        if ((v->inject | vcpu->event) || vcpu->irq_vector >= 0) {
            int exit = deliver(v);
            if (exit != VIRT_CHECK)
                return exit;
        }
        if (v->apic_on)
            vmx_apic_enter(v);
        kernel_unlock();
        mitigate_enter(vcpu);
        bool is_entered = vmx_enter(gpr, v->is_launched);
        mitigate_leave();
        kernel_lock();
        if (!is_entered)
            return entry_refused(v);
        v->is_launched = true;
        int exit = vmx_handle_exit(v);
        let_interrupts_in(v);
        if (exit != EXIT_RESUME)
            return exit;
    } while (!sched_need_resched() && !vcpu->kicked);
    return VIRT_CHECK;
}
