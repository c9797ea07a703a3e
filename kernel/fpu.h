// SPDX-License-Identifier: BSD-2-Clause
/*
 * The FPU. Its registers hold the state of exactly one struct fpu, the owner (percpu.fpu_owner), or
 * nobody's. fpu_load makes f the owner, saving the previous owner's state if there is one. The
 * kernel itself never uses the FPU: a vCPU calls fpu_load(&vcpu->fpu) before each entry (a compare while it
 * still is the owner), and ring 3's state comes back on the way to ring 3 (CPU_WORK_FPU, set by fpu_load).
 *
 * When a thread leaves the CPU the state is saved at once (fpu_release), so that any CPU can go on with
 * it; it is not loaded again if it comes back to the same registers before anybody else.
 *
 * XCR0 is fpu_xcr0() after fpu_load has switched; a vCPU then sets its guest's by xcr0_set, which
 * is cached, and undone by the next fpu_load of another state. Interrupts are off throughout.
 */
#ifndef KERNEL_FPU_H
#define KERNEL_FPU_H

#include "kernel/arch.h"
#include "kernel/percpu.h"

/* In the initial state; false: no memory. One page, the caller's to charge. */
bool fpu_init(struct fpu *f);
void fpu_destroy(struct fpu *f); /* what the registers hold of it is forgotten */
void fpu_load_slow(struct fpu *f);
void fpu_release(void);       /* saves the owner's state; then there is none */
uint64_t fpu_xcr0(void);      /* the features that are enabled and saved; 0: the CPU has no XSAVE */
void xcr0_set(uint64_t xcr0); /* a valid subset of fpu_xcr0(), on a CPU with XSAVE */

static inline void fpu_load(struct fpu *f)
{
    if (this_cpu()->fpu_owner != f)
        fpu_load_slow(f);
}

#endif
