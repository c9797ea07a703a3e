// SPDX-License-Identifier: BSD-2-Clause
/* Inside svm/: what the files of the AMD-V back end share. See kernel/virt.h for the contracts. */
#ifndef ARCH_X86_64_SVM_SVM_H
#define ARCH_X86_64_SVM_SVM_H

#include "arch/x86_64/exits.h"
#include "arch/x86_64/nested.h"
#include "arch/x86_64/svm/vmcb.h"
#include "kernel/timer.h"

#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_RF (1ull << 16)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_SVME (1ull << 12)
/* Of EFER a guest may have these; SVME, which VMRUN wants, is hidden from it. */
#define EFER_GUEST_MAY (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

/* AMD APM vol. 2, 15.30.5: eight bits before the point, 32 behind it */
#define MSR_TSC_RATIO 0xc0000104
#define TSC_RATIO_FRACTION_BITS 32

/* What this machine's AMD-V can; constant after the probe. */
struct svm_capability {
    uint64_t cr4_guest; /* CR4 bits that guests may set */
    uint32_t asids;     /* 1 ... asids - 1 are guests' */
    uint32_t features;  /* EDX of the CPUID leaf */
    unsigned nested_max_level;
    bool has_next_rip, has_clean, has_flush_by_asid, has_decode, has_pause, has_pause_threshold;
    bool has_rdtscp, has_tsc_ratio;
};
extern struct svm_capability svm_capability;

struct virt_cpu {
    uint64_t host_vmcb; /* physical: what VMLOAD brings back after an exit */
    uint64_t asid_generation;
    uint32_t asid_next;
    uint64_t tsc_aux; /* as loaded; the host does not use it */
    uint64_t
        tsc_ratio; /* as loaded, in the format of vcpu.h; 0: unknown. It scales in guests only */
};

struct svm_vcpu {
    struct vcpu base;
    struct vmcb *vmcb;
    uint64_t rip;        /* at the last exit */
    uint64_t shadow_rip; /* where it was entered in an interrupt shadow; else no address */
    uint64_t next_rip;   /* behind the instruction that ring 3 is to finish; 0: none */
    uint64_t inject;     /* the kernel's own event for the next entry, as vmcb.inject. 0: none */
    /* The ASID is good on this CPU, while its generation and that of the nested tables stay. */
    uint64_t asid_generation, nested_generation;
    uint32_t cpu;
    bool flush; /* what the guest's TLB holds must go before the next entry */
    /* What the guest believes of the bits that the host keeps. */
    uint64_t cr0_hidden; /* of CD and NW, those that the guest has set */
    bool cr4_mce;
    bool nmi_blocked;
    bool is_virtual; /* the interrupt to be delivered is the VMCB's virtual one */
    bool has_raced;  /* the entry set V_IRQ on QEMU, see run.c */
    /* One instruction is stepped over by TF, for an NMI that waits: see nmi.c. */
    bool stepping, step_is_iret;
    uint64_t step_rip, step_tf; /* before; the TF is the guest's own */
    bool debug_loaded;          /* the CPU holds dr[] */
    uint64_t dr[4];
    uint64_t tsc_aux;
    struct timer deadline; /* its interrupt ends guest mode */
};

/* enable.c */
extern uint8_t svm_io_map[], svm_msr_map[];

/* vcpu.c */
int svm_vcpu_init(struct vcpu *vcpu);
void svm_vcpu_destroy(struct vcpu *vcpu);
void svm_attach(struct vcpu *vcpu);
void svm_detach(struct vcpu *vcpu);
void svm_choose_asid(struct svm_vcpu *v); /* before each entry */
void svm_debug_load(struct svm_vcpu *v);

/* state.c */
int svm_load(struct vcpu *vcpu, uint32_t groups, uint32_t *group);
void svm_store(struct vcpu *vcpu, uint32_t groups);
bool svm_pat_is_valid(uint64_t pat);

/* cr.c: the values as the guest sees them; set checks what the whole CPU state would be. */
uint64_t svm_cr0(const struct svm_vcpu *v);
uint64_t svm_cr4(const struct svm_vcpu *v);
bool svm_set_cr(struct svm_vcpu *v, uint64_t cr0, uint64_t cr4, uint64_t efer);
int svm_exit_cr(struct svm_vcpu *v);
int svm_exit_msr(struct svm_vcpu *v);

/* run.c */
int svm_run(struct vcpu *vcpu);
bool svm_is_ready(struct vcpu *vcpu);
void svm_want_window(struct svm_vcpu *v, bool is_wanted);
void svm_end_virtual(struct svm_vcpu *v); /* at each exit */

/* exit.c */
int svm_handle_exit(struct svm_vcpu *v);
int svm_unhandled(struct svm_vcpu *v);
uint64_t svm_next_rip(struct svm_vcpu *v, unsigned usual_length);
void svm_skip(struct svm_vcpu *v, unsigned usual_length); /* the instruction is done */
/* The rest of an exit that ring 3 finishes. */
int svm_to_vmm(struct svm_vcpu *v, int exit, unsigned usual_length);

/* nmi.c */
void svm_step(struct svm_vcpu *v, bool is_iret);
bool svm_step_end(struct svm_vcpu *v); /* true: the exit had no other reason */

/* Raises an exception in the guest at the instruction that caused the exit; the error code is 0. */
static inline int svm_raise(struct svm_vcpu *v, uint32_t vector, bool has_error)
{
    v->inject = LEAT_EVENT(LEAT_EVENT_EXCEPTION, vector) | (has_error ? LEAT_EVENT_HAS_ERROR : 0);
    return EXIT_RESUME;
}

static inline void svm_intercept(struct svm_vcpu *v, uint32_t mask, bool is_on)
{
    uint32_t wanted = is_on ? v->vmcb->intercepts | mask : v->vmcb->intercepts & ~mask;
    if (wanted != v->vmcb->intercepts) {
        v->vmcb->intercepts = wanted;
        v->vmcb->clean &= ~CLEAN_INTERCEPTS;
    }
}

static inline bool svm_is_64(const struct svm_vcpu *v)
{
    const uint16_t code_64 = 1 << 9; /* CS.L */
    return (v->vmcb->efer & EFER_LMA) && (v->vmcb->seg[VMCB_CS].attributes & code_64);
}

/* entry.S */
void svm_enter(uint64_t gpr[16], uint64_t vmcb, uint64_t host_vmcb);

static inline struct svm_vcpu *svm_of(struct vcpu *vcpu)
{
    return (struct svm_vcpu *)vcpu;
}

#endif
