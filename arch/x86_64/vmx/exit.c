// SPDX-License-Identifier: BSD-2-Clause
/* Why the guest left: a table from the CPU's exit reason to the function that deals with it. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/vmx/vmx.h"

int vmx_unhandled(struct vmx_vcpu *v, uint64_t reason, uint64_t qualification)
{
    bool has_gpa = reason == VMX_EPT_VIOLATION || reason == VMX_EPT_MISCONFIGURED;
    v->base.page->detail.unhandled =
        (struct leat_exit_code){.reason = reason,
                                .qualification = qualification,
                                .info = has_gpa ? vmcs_read(VMCS_GUEST_PHYSICAL) : 0};
    return LEAT_EXIT_UNHANDLED;
}

static void set_next_rip(struct vmx_vcpu *v)
{
    v->next_rip = v->rip + vmcs_read32(VMCS_EXIT_INSN_LENGTH);
    v->base.page->next_rip = v->next_rip;
}

static int exit_cpuid(struct vmx_vcpu *v)
{
    exits_cpuid(&v->base, vmcs_read(VMCS_GUEST_CR4));
    vmx_skip(v);
    return EXIT_RESUME;
}

static int exit_io(struct vmx_vcpu *v, uint64_t qualification)
{
    /* SDM vol. 3, table 28-5 */
    struct leat_exit_io io = {
        .port = (uint16_t)(qualification >> 16),
        .width = (uint8_t)((qualification & 7) + 1),
        .is_in = qualification >> 3 & 1,
        .is_string = qualification >> 4 & 1,
        .is_rep = qualification >> 5 & 1,
    };
    int exit = exits_io(&v->base, io);
    if (exit == EXIT_RESUME)
        vmx_skip(v);
    else
        set_next_rip(v);
    return exit;
}

static int exit_external_interrupt(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)v, (void)qualification;
    arch_dispatch_irq(vmcs_read32(VMCS_EXIT_EVENT) & 0xff);
    return EXIT_RESUME;
}

static void block_nmi(bool is_blocked)
{
    uint32_t was = vmcs_read32(VMCS_INTERRUPTIBILITY);
    vmcs_write(VMCS_INTERRUPTIBILITY,
               is_blocked ? was | LEAT_BLOCKED_BY_NMI : was & ~(uint32_t)LEAT_BLOCKED_BY_NMI);
}

/*
 * Taken are NMI and #MC, which are the host's, and #DB and #AC, only to hand them on: a guest could
 * make their delivery raise them again without end, inside the CPU, and nothing would get it out.
 */
static int exit_exception(struct vmx_vcpu *v, uint64_t qualification)
{
    uint32_t info = vmcs_read32(VMCS_EXIT_EVENT), vector = info & 0xff;
    if (EVENT_TYPE(info) == LEAT_EVENT_NMI) {
        __asm__ volatile("int $2" ::: "memory");
        return EXIT_RESUME;
    }
    /* SDM vol. 3, 28.2.3: the IRET that ended NMI blocking has faulted and will be done again */
    if ((info & EVENT_NMI_UNBLOCKED) && vector != VECTOR_DF && !v->inject)
        block_nmi(true);
    if (vector == VECTOR_MC) {
        __asm__ volatile("int $18" ::: "memory");
    } else if (vector == VECTOR_DB) {
        vmx_debug_exception(v, info, qualification);
    } else {
        v->inject = exits_merge(v->inject, info & EVENT_DEFINED);
        if (!v->inject)
            return LEAT_EXIT_TRIPLE_FAULT;
        /* Real mode has no error codes: SDM vol. 3, 27.2.1.3. Bochs 2.7 tells of some. */
        if (!(vmcs_read(VMCS_GUEST_CR0) & CR0_PE))
            v->inject &= ~LEAT_EVENT_HAS_ERROR;
        if (vector == VECTOR_PF)
            write_cr2(qualification);
        v->inject_error = (v->inject & 0xff) == VECTOR_DF ? 0 : vmcs_read32(VMCS_EXIT_EVENT_ERROR);
        v->inject_length = vmcs_read32(VMCS_EXIT_INSN_LENGTH);
    }
    return EXIT_RESUME;
}

static int exit_triple_fault(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)v, (void)qualification;
    return LEAT_EXIT_TRIPLE_FAULT;
}

static int exit_irq_window(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    vmx_set_cpu_controls(v, v->cpu_controls & ~CPU_IRQ_WINDOW);
    return EXIT_RESUME; /* delivered on the way back in */
}

static int exit_nmi_window(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    vmx_set_cpu_controls(v, v->cpu_controls & ~CPU_NMI_WINDOW);
    return EXIT_RESUME;
}

static int exit_hlt(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    vmx_skip(v);
    v->base.halted = !vmcs_read(VMCS_PENDING_DEBUG); /* the trap of a single step wakes at once */
    return VIRT_CHECK;
}

static int exit_skip(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    vmx_skip(v); /* INVD, WBINVD: the guest's memory is coherent without */
    return EXIT_RESUME;
}

static int exit_preemption_timer(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)v, (void)qualification;
    arch_interrupt_window();
    return EXIT_RESUME; /* vmx_run looks at the clock */
}

static int exit_pause(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)v, (void)qualification;
    return exits_pause();
}

static int exit_vmcall(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    set_next_rip(v);
    return LEAT_EXIT_HYPERCALL;
}

static int exit_ept_violation(struct vmx_vcpu *v, uint64_t q)
{
    /* SDM vol. 3, table 28-7 */
    const uint64_t write = 1 << 1, fetch = 1 << 2, linear = 1 << 7, translated = 1 << 8;
    if (v->inject) /* an IDT, stack or TSS where no memory is: no instruction to emulate */
        return vmx_unhandled(v, VMX_EPT_VIOLATION, q);
    if (q & EVENT_NMI_UNBLOCKED)
        block_nmi(true);
    v->base.page->detail.mmio = (struct leat_exit_mmio){
        .gpa = vmcs_read(VMCS_GUEST_PHYSICAL),
        .gva = q & linear ? vmcs_read(VMCS_GUEST_LINEAR) : 0,
        .gva_valid = (q & linear) != 0,
        .is_write = (q & write) != 0,
        .is_fetch = (q & fetch) != 0,
        .in_page_walk = (q & linear) && !(q & translated),
    };
    v->base.groups = LEAT_VCPU_CR | LEAT_VCPU_SEG;
    return LEAT_EXIT_MMIO;
}

/* VM entry did not like the guest's state; the CPU has loaded the host's again. SDM vol. 3, 27.8 */
static int entry_failed(struct vmx_vcpu *v, uint32_t reason)
{
    uint64_t qualification = vmcs_read(VMCS_QUALIFICATION);
    vmx_clear_launch(v);
    vmcs_write(VMCS_ENTRY_EVENT, 0);
    if ((uint16_t)reason == VMX_ENTRY_MACHINE_CHECK)
        __asm__ volatile("int $18" ::: "memory");
    v->base.page->detail.invalid =
        (struct leat_exit_code){.reason = reason, .qualification = qualification};
    return LEAT_EXIT_INVALID;
}

enum { COUNTED_BY_HANDLER = LEAT_COUNTS };

struct exit_kind {
    int (*handle)(struct vmx_vcpu *v, uint64_t qualification);
    uint8_t count;            /* enum leat_exit_count */
    bool is_qualified;        /* the exit qualification says something */
    bool may_interrupt_event; /* can happen while the CPU delivers an event */
};

static const struct exit_kind kinds[VMX_REASONS] = {
    [VMX_EXCEPTION] = {exit_exception, LEAT_COUNT_EXCEPTION, true, true},
    [VMX_EXTERNAL_INTERRUPT] = {exit_external_interrupt, LEAT_COUNT_HOST_IRQ, false, true},
    [VMX_TRIPLE_FAULT] = {exit_triple_fault, LEAT_COUNT_OTHER, false, false},
    [VMX_IRQ_WINDOW] = {exit_irq_window, LEAT_COUNT_IRQ_WINDOW, false, false},
    [VMX_NMI_WINDOW] = {exit_nmi_window, LEAT_COUNT_IRQ_WINDOW, false, false},
    [VMX_HLT] = {exit_hlt, LEAT_COUNT_HLT, false, false},
    [VMX_INVD] = {exit_skip, LEAT_COUNT_OTHER, false, false},
    [VMX_VMCALL] = {exit_vmcall, LEAT_COUNT_HYPERCALL, false, false},
    [VMX_CR_ACCESS] = {vmx_exit_cr, LEAT_COUNT_CR, true, false},
    [VMX_DR_ACCESS] = {vmx_exit_dr, LEAT_COUNT_OTHER, true, false},
    [VMX_IO] = {exit_io, COUNTED_BY_HANDLER, true, false},
    [VMX_PAUSE] = {exit_pause, LEAT_COUNT_PAUSE, false, false},
    [VMX_RDMSR] = {vmx_exit_rdmsr, LEAT_COUNT_MSR_READ, false, false},
    [VMX_WRMSR] = {vmx_exit_wrmsr, LEAT_COUNT_MSR_WRITE, false, false},
    [VMX_EPT_VIOLATION] = {exit_ept_violation, LEAT_COUNT_MMIO, true, true},
    [VMX_EOI] = {vmx_exit_eoi, LEAT_COUNT_OTHER, true, false},
    [VMX_APIC_WRITE] = {vmx_exit_apic_write, LEAT_COUNT_MSR_WRITE, true, false},
    [VMX_PREEMPTION_TIMER] = {exit_preemption_timer, LEAT_COUNT_OTHER, false, false},
    [VMX_WBINVD] = {exit_skip, LEAT_COUNT_OTHER, false, false},
    [VMX_XSETBV] = {vmx_exit_xsetbv, LEAT_COUNT_XSETBV, false, false},
};
/* VMX instructions, MONITOR, MWAIT, RDPMC, task switches ...: not for guests of ours. Entries that
 * failed. */
static const struct exit_kind others = {NULL, LEAT_COUNT_OTHER, true, true};

/* The exit came in the middle of delivering an event to the guest: it is to be delivered again. SDM
 * vol. 3, 25.2.4 */
static void keep_interrupted_event(struct vmx_vcpu *v)
{
    uint32_t info = vmcs_read32(VMCS_IDT_EVENT);
    if (__builtin_expect(!(info & LEAT_EVENT_VALID), 1))
        return;
    v->inject = info & EVENT_DEFINED;
    if (info & LEAT_EVENT_HAS_ERROR)
        v->inject_error = vmcs_read32(VMCS_IDT_EVENT_ERROR);
    if (EVENT_TYPE(info) >= EVENT_SOFTWARE_INTERRUPT)
        v->inject_length = vmcs_read32(VMCS_EXIT_INSN_LENGTH);
    if (EVENT_TYPE(info) == LEAT_EVENT_NMI)
        block_nmi(false); /* else the entry would refuse it */
}

int vmx_handle_exit(struct vmx_vcpu *v)
{
    struct vcpu *vcpu = &v->base;
    uint32_t reason = vmcs_read32(VMCS_EXIT_REASON);
    v->rip = vmcs_read(VMCS_GUEST_RIP);
    vcpu_count(vcpu, LEAT_COUNT_TOTAL);
    if (reason == VMX_CPUID) {
        vcpu_count(vcpu, LEAT_COUNT_CPUID);
        vcpu_trace(vcpu, v->rip, reason, 0);
        return exit_cpuid(v);
    }
    const struct exit_kind *kind =
        reason < VMX_REASONS && kinds[reason].handle ? &kinds[reason] : &others;
    uint64_t qualification = kind->is_qualified ? vmcs_read(VMCS_QUALIFICATION) : 0;
    vcpu_trace(vcpu, v->rip, reason, qualification);
    if (kind->count != COUNTED_BY_HANDLER)
        vcpu_count(vcpu, kind->count);
    if (reason & VMX_REASON_ENTRY_FAILED)
        return entry_failed(v, reason);
    if (kind->may_interrupt_event)
        keep_interrupted_event(v);
    return kind->handle ? kind->handle(v, qualification) : vmx_unhandled(v, reason, qualification);
}
