// SPDX-License-Identifier: BSD-2-Clause
/* The life of a vCPU, its ASID, and what has to be in the CPU while its guest may run. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/debug.h"
#include "arch/x86_64/mitigate.h"
#include "arch/x86_64/svm/svm.h"
#include "kernel/frame.h"

#define PAUSE_COUNT 3000
#define PAUSE_THRESHOLD 128 /* ticks: PAUSEs farther apart are no spinning */

/* The host's timer interrupt has ended guest mode: svm_run looks at the clock itself. */
static void deadline_expired(struct timer *timer)
{
    (void)timer;
}

int svm_vcpu_init(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    struct vmcb *c = v->vmcb = page_alloc();
    if (!c)
        return LEAT_ENOMEM;
    timer_init(&v->deadline, deadline_expired);
    v->flush = true;
    c->dr_reads = c->dr_writes = 0xffff;
    /* See exit.c. INT3 and INTO are instructions, which Bochs ends well: they pass. */
    c->exceptions = exits_take_all() ? ~(1u << 2 | 1u << 3 | 1u << 4)
                                     : 1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_MC;
    c->intercepts = ICPT_INTR | ICPT_NMI | ICPT_SMI | ICPT_INIT | ICPT_CR0_SELECTIVE | ICPT_RDPMC |
                    ICPT_CPUID | ICPT_RSM | ICPT_INVD | ICPT_HLT | ICPT_INVLPGA | ICPT_IO |
                    ICPT_MSR | ICPT_TASK_SWITCH | ICPT_SHUTDOWN |
                    (svm_capability.has_pause ? ICPT_PAUSE : 0);
    c->intercepts_2 = ICPT_2_ALL;
    c->pause_count = PAUSE_COUNT;
    c->pause_threshold = svm_capability.has_pause_threshold ? PAUSE_THRESHOLD : 0;
    c->io_map = kernel_to_phys(svm_io_map).raw;
    c->msr_map = kernel_to_phys(svm_msr_map).raw;
    c->interrupt_control = V_INTR_MASKING;
    c->nested = 1;
    c->nested_cr3 = vcpu->guest->nested->root_hpa;
    c->dr6 = DR6_INIT;
    return LEAT_OK;
}

void svm_vcpu_destroy(struct vcpu *vcpu)
{
    page_free(svm_of(vcpu)->vmcb);
}

/*
 * Translations are tagged by ASID. A number is given out once in a generation of its CPU; so one
 * that is given up (the vCPU has moved, memory was unmapped) needs no flush. When all are used, one flush of
 * all begins the next generation.
 */
void svm_choose_asid(struct svm_vcpu *v)
{
    struct percpu *cpu = this_cpu();
    struct virt_cpu *own = cpu->virt;
    uint64_t nested = v->base.guest->nested->generation;
    bool is_good = v->cpu == cpu->index && v->asid_generation == own->asid_generation;
    v->vmcb->tlb_control = 0;
    if (is_good && v->nested_generation == nested && !v->flush)
        return;
    v->flush = false;
    v->nested_generation = nested;
    if (is_good && svm_capability.has_flush_by_asid) {
        v->vmcb->tlb_control = TLB_FLUSH_ASID;
        return;
    }
    if (own->asid_next >= svm_capability.asids) {
        own->asid_next = 1;
        own->asid_generation++;
        v->vmcb->tlb_control = TLB_FLUSH_ALL;
    }
    v->vmcb->asid = own->asid_next++;
    v->vmcb->clean = v->cpu == cpu->index ? v->vmcb->clean & ~CLEAN_ASID : 0;
    v->asid_generation = own->asid_generation;
    v->cpu = cpu->index;
}

/* The host uses no debug registers. DR6 and DR7 are in the VMCB; MOV DR exits until the others are loaded. */
void svm_debug_load(struct svm_vcpu *v)
{
    if (v->debug_loaded)
        return;
    debug_write(v->dr);
    v->debug_loaded = true;
    v->vmcb->dr_reads = v->vmcb->dr_writes = 0;
    v->vmcb->clean &= ~CLEAN_INTERCEPTS;
}

static void debug_unload(struct svm_vcpu *v)
{
    debug_read(v->dr);
    v->debug_loaded = false;
    v->vmcb->dr_reads = v->vmcb->dr_writes = 0xffff;
    v->vmcb->clean &= ~CLEAN_INTERCEPTS;
}

void svm_attach(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    struct percpu *cpu = this_cpu();
    vcpu->guest->nested->cpus |= 1ull << cpu->index;
    fpu_load(&vcpu->fpu);
    if (vcpu->xcr0)
        xcr0_set(vcpu->xcr0);
    write_cr2(v->vmcb->cr2); /* VMRUN loads it; but not Bochs' */
    mitigate_switch(true);
    if (svm_capability.has_rdtscp && cpu->virt->tsc_aux != v->tsc_aux) {
        cpu->virt->tsc_aux = v->tsc_aux;
        wrmsr(MSR_TSC_AUX, v->tsc_aux);
    }
    if (svm_capability.has_tsc_ratio && cpu->virt->tsc_ratio != vcpu->tsc_ratio) {
        cpu->virt->tsc_ratio = vcpu->tsc_ratio;
        wrmsr(MSR_TSC_RATIO, vcpu->tsc_ratio >> (LEAT_TSC_FRACTION_BITS - TSC_RATIO_FRACTION_BITS));
    }
    if (v->vmcb->dr7 & DR7_ENABLES)
        svm_debug_load(v);
    if (vcpu->deadline_tsc)
        timer_start(&v->deadline, vcpu->deadline_tsc);
}

/* QEMU 7.2 has no exit for XSETBV: what the guest has set is found out here. */
static void save_xcr0(struct vcpu *vcpu)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    vcpu->xcr0 = this_cpu()->xcr0 = (uint64_t)high << 32 | low;
}

void svm_detach(struct vcpu *vcpu)
{
    struct svm_vcpu *v = svm_of(vcpu);
    if (v->debug_loaded)
        debug_unload(v);
    if (vcpu->xcr0)
        save_xcr0(vcpu);
    timer_cancel(&v->deadline);
    vcpu->guest->nested->cpus &= ~(1ull << this_cpu()->index);
}
