// SPDX-License-Identifier: BSD-2-Clause
/*
 * The paravirtual clock that Linux knows from KVM: a page for each vCPU that tells how to make
 * nanoseconds of its TSC, and the wall clock's time at the clock's zero. The numbers are those of
 * leat_clock, so that guest and host do not drift apart. The clock's zero is the guest's start.
 * Linux, Documentation/virt/kvm/x86/msr.rst. Portable. With the VM's lock held.
 */
#ifndef VMM_CPU_KVMCLOCK_H
#define VMM_CPU_KVMCLOCK_H

#include "vmm/cpu/vcpu.h"

#define MSR_KVM_WALL_CLOCK 0x4b564d00u
#define MSR_KVM_SYSTEM_TIME 0x4b564d01u

/* CPUID leaf 0x40000001, EAX */
#define KVM_FEATURE_NOP_IO_DELAY (1u << 1)
#define KVM_FEATURE_CLOCKSOURCE2 (1u << 3)
#define KVM_FEATURE_CLOCKSOURCE_STABLE (1u << 24)

/* The clock's zero is now; once at each start of the guest. */
void kvmclock_start(struct vm *vm);

/* The two MSRs are written; false: #GP. */
bool kvmclock_set_wall(struct vcpu *cpu, uint64_t value);
bool kvmclock_set_page(struct vcpu *cpu, uint64_t value);

/* The TSC of some vCPU was moved: all pages say so. */
void kvmclock_update(struct vm *vm);

#endif
