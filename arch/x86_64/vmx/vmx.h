// SPDX-License-Identifier: BSD-2-Clause
/* Inside vmx/: what the files of the VT-x back end share. See kernel/virt.h for the contracts. */
#ifndef ARCH_X86_64_VMX_VMX_H
#define ARCH_X86_64_VMX_VMX_H

#include "arch/x86_64/exits.h"
#include "arch/x86_64/nested.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "kernel/timer.h"
#include "kernel/vcpu.h"

#define RFLAGS_TF (1ull << 8)
#define PENDING_SINGLE_STEP (1ull << 14) /* SDM vol. 3, table 25-4: BS */
#define DR7_ENABLES 0xffull              /* L0 ... G3 */

/* What this machine's VT-x can and what we make of it; constant after the probe. */
struct vmx_capability {
    uint32_t revision;
    uint32_t pin, cpu, cpu2, exit, entry; /* controls as every vCPU starts with them */
    uint64_t cr4_guest;                   /* CR4 bits that guests may set */
    unsigned ept_max_level;
    bool has_timer;
    unsigned timer_shift; /* the preemption timer counts at TSC >> shift */
    uint32_t timer_most;  /* the longest that a guest runs without an exit, in its ticks */
    bool has_rdtscp;
    uint32_t apic_cpu2; /* controls of APIC virtualization; 0: the CPU has too little of it */
    uint32_t apic_pin;  /* and of posted interrupts */
};
extern struct vmx_capability vmx_capability;

/* Shared by all guests. */
extern void *vmx_msr_bitmap, *vmx_io_bitmap_a, *vmx_io_bitmap_b;
extern void *vmx_msr_bitmap_apic; /* of vCPUs whose APIC the CPU works; NULL: it cannot */

enum { MSR_VMX_CPU2 = 0x48b, MSR_VMX_TRUE_PIN = 0x48d, MSR_VMX_TRUE_CPU = 0x48e };

struct virt_cpu {
    struct vmx_vcpu *current; /* whose VMCS is loaded */
    struct vmx_vcpu *msrs_of; /* whose SYSCALL MSRs are, if CPU_WORK_MSRS is set */
    uint64_t tsc_aux;         /* as loaded; the host does not use it */
};

struct vmx_vcpu {
    struct vcpu base;
    void *vmcs;
    uint16_t vpid;
    bool is_launched;
    bool debug_loaded;                         /* the CPU holds dr[] and dr6 */
    bool apic_on, apic_careful, apic_all_eois; /* apic.c */
    bool debug_eager; /* they must be loaded before the guest runs: breakpoints are set */
    uint32_t cpu_controls, timer; /* as the VMCS has them */
    uint64_t window_tsc;          /* when the host's interrupts were last let in after an exit */
    uint64_t host_cr3;
    struct percpu *host; /* for whose CPU the host's state is; NULL: none yet */
    uint64_t rip;        /* at the last exit */
    uint64_t next_rip;   /* behind the instruction that ring 3 is to finish; 0: none */
    /* As stored in the page at the last exit, and still in the VMCS: */
    uint64_t rsp, rflags;
    uint32_t interruptibility;
    /* The kernel's own event for the next entry: an interrupted one again, or a fault. 0: none */
    uint32_t inject, inject_error, inject_length;
    uint64_t dr[4], dr6;
    uint64_t tsc_aux;
    struct timer deadline; /* where there is no preemption timer: its interrupt ends guest mode */
};

/* capability.c */
enum leat_virt vmx_probe(struct leat_info *info);
const char *vmx_enable_cpu(void);
void vmx_operation_init(void *vmxon_region); /* enable.c: VMXON on this CPU */
void vmx_operation_failed(const char *instruction);

/* ept.c */
int vmx_nested_create(struct quota *payer, struct nested **nested);
uint64_t vmx_eptp(const struct nested *nested);
void vmx_nested_flush(struct nested *nested);

/* vmcs.c */
int vmx_vcpu_init(struct vcpu *vcpu);
void vmx_vcpu_destroy(struct vcpu *vcpu);
void vmx_make_current_slow(struct vmx_vcpu *v);
void vmx_set_cpu_controls(struct vmx_vcpu *v, uint32_t controls);
void vmx_clear_launch(struct vmx_vcpu *v); /* after a failed entry: the next one is a VMLAUNCH */
void vmx_flush_vpid(const struct vmx_vcpu *v);
void vmx_attach(struct vcpu *vcpu);
void vmx_detach(struct vcpu *vcpu);
void vmx_leave(struct vcpu *vcpu);

static inline void vmx_make_current(struct vmx_vcpu *v)
{
    if (this_cpu()->virt->current != v)
        vmx_make_current_slow(v);
}

/* msr.c */
void vmx_msr_bitmap_init(void);
void vmx_load_msrs(struct vmx_vcpu *v);
int vmx_exit_rdmsr(struct vmx_vcpu *v, uint64_t qualification);
int vmx_exit_wrmsr(struct vmx_vcpu *v, uint64_t qualification);

/* apic.c: the CPU works the guest's APIC where apic_on says so. */
void vmx_apic_probe(void);               /* fills vmx_capability.apic_*; after the other controls */
void vmx_apic_init(struct vmx_vcpu *v);  /* says in the page what can be */
void vmx_apic_load(struct vmx_vcpu *v);  /* from the page */
void vmx_apic_enter(struct vmx_vcpu *v); /* right before the entry, if apic_on */
bool vmx_apic_is_pending(struct vmx_vcpu *v);
void vmx_apic_notify(struct percpu *cpu);
int vmx_exit_eoi(struct vmx_vcpu *v, uint64_t qualification);
int vmx_exit_apic_write(struct vmx_vcpu *v, uint64_t qualification);

/* debug.c: DR0-3 and DR6 are loaded when the guest first uses them, or before it runs with breakpoints
   set. */
void vmx_debug_load(struct vmx_vcpu *v);   /* of the current vCPU */
void vmx_debug_unload(struct vmx_vcpu *v); /* of the current vCPU, before another one's turn */
int vmx_exit_dr(struct vmx_vcpu *v, uint64_t qualification);
void vmx_debug_exception(struct vmx_vcpu *v, uint32_t info, uint64_t qualification);

/* cr.c */
bool vmx_load_cr(struct vmx_vcpu *v); /* from the page; false: CR4 has bits that no guest may set */
void vmx_store_cr(struct vmx_vcpu *v);
int vmx_exit_cr(struct vmx_vcpu *v, uint64_t qualification);
int vmx_exit_xsetbv(struct vmx_vcpu *v, uint64_t qualification);

/* state.c */
int vmx_load(struct vcpu *vcpu, uint32_t groups, uint32_t *group);
void vmx_store(struct vcpu *vcpu, uint32_t groups);
uint64_t vmx_gpr(struct vmx_vcpu *v, unsigned index); /* RSP too */

/* run.c */
int vmx_run(struct vcpu *vcpu);
bool vmx_is_ready(struct vcpu *vcpu);
bool vmx_can_interrupt(void);      /* the current one: RFLAGS and shadow let it */
void vmx_skip(struct vmx_vcpu *v); /* the instruction that caused the exit is done */
void vmx_finish_instruction(uint64_t *rflags, uint32_t *interruptibility);

/* exit.c */
int vmx_handle_exit(struct vmx_vcpu *v);
int vmx_unhandled(struct vmx_vcpu *v, uint64_t reason, uint64_t qualification);

/* Raises an exception in the guest at the instruction that caused the exit. */
static inline void vmx_raise(struct vmx_vcpu *v, uint32_t vector, bool has_error)
{
    v->inject = LEAT_EVENT(LEAT_EVENT_EXCEPTION, vector) | (has_error ? LEAT_EVENT_HAS_ERROR : 0);
    v->inject_error = 0;
}

/* entry.S */
bool vmx_enter(uint64_t gpr[16], bool is_launched);
void vmx_exit(void);

static inline struct vmx_vcpu *vmx_of(struct vcpu *vcpu)
{
    return (struct vmx_vcpu *)vcpu;
}

#endif
