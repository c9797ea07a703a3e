// SPDX-License-Identifier: BSD-2-Clause
/*
 * vCPUs, as far as they are the same on every CPU vendor: the page shared with the vmm, what it has
 * ordered, and the loop around the back end's run(). Everything runs with interrupts off.
 */
#ifndef KERNEL_VCPU_H
#define KERNEL_VCPU_H

#include "kernel/fpu.h"
#include "kernel/guest.h"
#include "kernel/object.h"

struct mem;
struct thread;

struct vcpu {
    struct object object;
    struct guest *guest;    /* a reference */
    struct mem *page_mem;   /* a reference */
    struct leat_vcpu *page; /* ring 3 writes it at any time: read a value once, through VCPU_READ */
    struct leat_apic_reg
        *apic_regs; /* and these, in two pages of their own; NULL: none were given */
    struct leat_apic_requests *apic_requests;
    struct thread *runner; /* inside vcpu_run; NULL: nobody */
    uint32_t index;
    uint32_t trace_next;
    uint32_t cpu; /* which may hold some of its state; the back end's functions are called there */
    bool is_new;  /* has not run: all groups are to be loaded */
    bool is_waiting; /* the runner is blocked because the guest is in HLT */
    bool kicked;
    /* Of this run, checked copies of what the page ordered: */
    bool halted;
    bool report_injected;
    int32_t irq_vector;          /* -1: none */
    uint32_t event, event_error; /* 0: none */
    uint64_t deadline_tsc;       /* 0: none */
    uint32_t groups;             /* LEAT_VCPU_*: what the exit stores besides GPR and RIP */
    /* State that no hardware structure keeps: */
    struct fpu fpu;
    uint64_t cr2, xcr0;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t tsc_ratio; /* constant, 16.48 */
    uint32_t spec_ctrl; /* MSR SPEC_CTRL, as the guest has written it */
};

#define VCPU_READ(field) (*(const volatile __typeof__(field) *)&(field))

/* For the back end's exit path. */
static inline void vcpu_count(struct vcpu *vcpu, enum leat_exit_count what)
{
    vcpu->page->counts[what]++;
}

static inline void vcpu_trace(struct vcpu *vcpu, uint64_t rip, uint32_t reason,
                              uint64_t qualification)
{
    struct leat_trace_entry *entry = &vcpu->page->trace[vcpu->trace_next++ % 16];
    entry->rip = rip;
    entry->reason = reason;
    entry->qualification = qualification;
}

static inline struct vcpu *vcpu_of(struct object *object)
{
    return (struct vcpu *)object;
}

#endif
