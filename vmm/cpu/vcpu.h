// SPDX-License-Identifier: BSD-2-Clause
/*
 * One virtual CPU as its VMM sees it: the page that it shares with the kernel, its local APIC, its
 * model-specific registers. Portable but for the functions at the end. With the VM's lock held, and
 * not in the guest, where nothing else is said.
 */
#ifndef VMM_CPU_VCPU_H
#define VMM_CPU_VCPU_H

#include <leat/vcpu.h>
#include "vmm/cpu/decode.h"
#include "vmm/cpu/msr.h"
#include "vmm/platform/lapic.h"
#include "vmm/vm.h"

#define DECODE_CACHE_SIZE 64 /* a power of two */

struct vcpu {
    struct vm *vm;
    unsigned index;
    struct leat_vcpu *page;
    struct lapic *lapic;
    uint32_t
        run; /* counts the ways in and out: odd while its thread is in vcpu_run, or about to be */
    uint32_t kicked;  /* the run for which vcpu_kick has been called */
    int asked_vector; /* what irq_vector was set to; -1: nothing */
    bool asked_from_pic;
    uint64_t
        timers_tsc; /* vCPU 0: vm_now_tsc of the earliest VM timer; 0: none. Set by any thread */
    uint64_t deadline_tsc,
        deadline_host;   /* the last one asked for, and the same in the host's ticks */
    uint64_t clock_msr;  /* KVM's clock: where the guest wants its page, bit 0 on */
    uint32_t log_budget; /* lines that the guest can still cause */
    struct msr_state msrs;
    struct decode_entry cache[DECODE_CACHE_SIZE];
};

/* lapic: vm->platform's. page: zeroed. */
void vcpu_init(struct vcpu *cpu, struct vm *vm, unsigned index, struct leat_vcpu *page);

/* The state after power-on: real mode at f000:fff0. An AP waits for SIPI. */
void vcpu_reset(struct vcpu *cpu);

/* The same after INIT, which leaves much as it was. */
void vcpu_init_signal(struct vcpu *cpu);

/* -- the way into the guest and out: enter.c, exits.c -- */

/* Before vcpu_run: takes INIT and SIPI, says what to inject, and when to come back. */
void vcpu_prepare(struct vcpu *cpu);

/* After vcpu_run: books an injected interrupt, and handles the exit. */
void vcpu_handle_exit(struct vcpu *cpu, int64_t exit);

/* The same two without the VM's lock, by the vCPU's own thread, for what concerns this vCPU alone. False: that is
   not so. Then nothing was done, and the one with the lock must follow. */
bool vcpu_handle_alone(struct vcpu *cpu, int64_t exit);
bool vcpu_prepare_alone(struct vcpu *cpu);

/*
 * How one thread makes another's vCPU look at what it has put before it. Any thread, no lock. False: it will look
 * by itself, or has been kicked already. True: call vcpu_kick of the kernel, then vcpu_kick_end. A kick counts for
 * the run in which it was asked for: whoever trusts an earlier one knows that its system call is over.
 */
bool vcpu_kick_begin(const struct vcpu *cpu, uint32_t *run);
void vcpu_kick_end(struct vcpu *cpu, uint32_t run);

static inline bool vcpu_in_guest(const struct vcpu *cpu)
{
    return __atomic_load_n(&cpu->run, __ATOMIC_RELAXED) & 1;
}

/* Goes on behind the instruction that exited. */
void vcpu_skip(struct vcpu *cpu, uint64_t next_rip);

void vcpu_inject_gp(struct vcpu *cpu); /* #GP(0) */
void vcpu_inject_ud(struct vcpu *cpu);
void vcpu_inject_pf(struct vcpu *cpu, uint64_t address, uint32_t error); /* needs valid CR group */

/* Memory that is not RAM: the vCPU's own local APIC, or the MMIO bus. */
uint64_t vcpu_mmio_read(struct vcpu *cpu, uint64_t gpa, unsigned width);
void vcpu_mmio_write(struct vcpu *cpu, uint64_t gpa, unsigned width, uint64_t value);

/* Writes what is known of the vCPU to the log: registers, exit counts, the last 16 exits. */
void vcpu_report(struct vcpu *cpu, const char *why);

/* In three lines: where it is, and what it has to take. */
void vcpu_report_brief(struct vcpu *cpu, const char *why);

/* Only how often the guest has left, by reason. */
void vcpu_report_exits(struct vcpu *cpu);

/* True once for each of a small number of messages: keeps a guest from filling the log. */
bool vcpu_may_log(struct vcpu *cpu);

/* The handlers of the exits that have files of their own. */
void exit_io(struct vcpu *cpu);
void exit_mmio(struct vcpu *cpu);
void exit_msr_read(struct vcpu *cpu);
void exit_msr_write(struct vcpu *cpu);
bool exit_msr_write_alone(struct vcpu *cpu); /* false: not without the lock */
void exit_cr8(struct vcpu *cpu);             /* concerns the vCPU alone */

/* -- the program's side: vmm/run.c -- */

/* Makes the groups valid in the page. False: the kernel refused. */
bool vcpu_sync(struct vcpu *cpu, uint32_t groups);

#endif
