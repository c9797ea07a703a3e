// SPDX-License-Identifier: BSD-2-Clause
/*
 * What each CPU has for itself, found through GS in ring 0. Assembly uses the first fields by the
 * PERCPU_ offsets.
 */
#ifndef KERNEL_PERCPU_H
#define KERNEL_PERCPU_H

#define PERCPU_SELF 0
#define PERCPU_CURRENT 8
#define PERCPU_USER_SP 16
#define PERCPU_KERNEL_SP 24
#define PERCPU_WORK 32
#define PERCPU_VMX_HOST_RSP 48

/* Bits of `work`: what is to do before the next instruction of ring 3. */
#define CPU_WORK_RESCHED 1  /* a more urgent thread is ready, or the slice is over */
#define CPU_WORK_KILL 2     /* the current thread has been killed */
#define CPU_WORK_FPU 4      /* the FPU does not hold the current thread's state */
#define CPU_WORK_MSRS 8     /* a guest's SYSCALL MSRs may be loaded; set it when loading them */
#define CPU_WORK_BARRIER 16 /* another domain has run here, or a guest: arch/x86_64/mitigate.h */

#ifndef __ASSEMBLER__

#include "kernel/list.h"
#include <stdint.h>

#define MAX_CPUS 64u

struct fpu;
struct thread;
struct virt_cpu; /* of arch/x86_64/vmx and svm */

struct percpu {
    struct percpu *self;
    struct thread *current;
    uint64_t user_sp;   /* scratch of the SYSCALL entry */
    uint64_t kernel_sp; /* stack on entry from ring 3: top of current's */
    uint32_t work;      /* CPU_WORK_* */
    uint32_t index;     /* 0 ... MAX_CPUS - 1 */
    uint32_t apic_id;
    uint64_t vmx_host_rsp; /* of vmx/entry.S, while a guest runs */
    uint32_t core;         /* CPUs with equal numbers are hardware threads of one core */
    /* smp.c */
    bool is_idling;    /* halted, or just woken from that: it does not hold the lock */
    bool is_online;    /* has started */
    const char *lacks; /* what it lacks to be used; NULL: nothing */
    /* sched.c */
    uint64_t chosen_at_tsc;   /* when current began to run here */
    uint64_t switched_at_tsc; /* up to when its time has been accounted */
    uint64_t slice_end_tsc, idle_ticks;
    struct thread *idle;
    struct thread *zombie; /* dead, its stack to be freed by the next thread */
    /* timer.c */
    struct list timers;
    uint64_t timer_armed_tsc; /* TIMER_NEVER: not */
    /* arch */
    struct fpu *fpu_owner; /* whose state the registers hold and may change; NULL: nobody's */
    struct fpu *fpu_saved; /* else: whose state they hold still, saved */
    uint64_t xcr0;         /* as loaded */
    uint64_t loaded_root;  /* CR3 */
    struct virt_cpu *virt; /* the back end's own */
    uint64_t trained_by;   /* mitigate.c: the tenant (domain.id) since the last barrier; 0: none */
    uint64_t l1d_of;       /* the only domain since the L1D cache was flushed for its guest */
    uint32_t spec_ctrl;    /* as loaded */
} __attribute__((aligned(64)));

extern struct percpu cpus[MAX_CPUS];

static inline struct percpu *this_cpu(void)
{
#ifdef LEAT_HOST_TEST
    return &cpus[0];
#else
    struct percpu *cpu;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(cpu)); /* another one after each schedule() */
    return cpu;
#endif
}

#endif
#endif
