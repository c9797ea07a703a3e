// SPDX-License-Identifier: BSD-2-Clause
/*
 * One virtual machine: what its devices and vCPUs share.
 *
 * Everything here and in the device models is worked with the VM's lock held. Bus callbacks and the
 * callbacks of vm_on_signal, vm_on_idle, vm_on_reset are called with it held already; device models
 * never take it. struct vm and the device models are portable (no system call); the functions at
 * the end are the program's side of it (vmm/host.c) and are replaced by fakes in host tests.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <leat/types.h>
#include "lib/tsc.h"
#include "vmm/bus.h"
#include "vmm/layout.h"
#include "vmm/memory.h"
#include "vmm/timer.h"

#define VM_MAX_CPUS 16
#define VM_MAX_RESETS 32

struct platform; /* vmm/platform/platform.h: APICs, PIC, PIT, RTC, UART, ... */
struct vcpu;     /* vmm/cpu/vcpu.h */
struct pci_host; /* vmm/pci/pci.h */
struct vm_host;  /* vmm/host.h: handles, lock, loop */

typedef void (*vm_fn)(void *context);
typedef bool (*vm_idle_fn)(void *context);

enum vm_end { /* why the vCPUs stop */
              VM_END_NONE = 0,
              VM_END_POWER_OFF,
              VM_END_RESET, /* the guest asked for it: the VM starts again */
              VM_END_CRASH,
};

struct vm {
    const char *name;
    struct guest_memory memory;
    struct bus ports; /* base: I/O port */
    struct bus mmio;  /* base: guest-physical address */
    struct vm_timers timers;
    unsigned cpu_count;
    struct vcpu *cpus[VM_MAX_CPUS];
    struct platform *platform;
    struct pci_host *pci; /* set by pci_host_init */
    struct vm_host *host;
    enum vm_end end;
    char end_why[128];
    bool is_amd; /* what CPUID tells the guest of its maker */
    struct tsc_rate tsc;
    uint64_t clock_tsc;     /* vm_now_tsc at the guest's start: zero of its paravirtual clock */
    uint64_t clock_wall_ns; /* UTC at that moment, since 1970 */
    uint64_t clock_wall_msr;
    unsigned reset_count;
    struct {
        vm_fn fn;
        void *context;
    } resets[VM_MAX_RESETS];
};

/* -- portable: vmm/vm.c -- */

/* Has fn called, in the order of registration, when the guest is reset: the device goes back to its
   power-on state. The vCPUs are stopped then. LEAT_ENOMEM. */
int vm_on_reset(struct vm *vm, vm_fn fn, void *context);
void vm_reset_devices(struct vm *vm);

/* Ends the VM, or begins its restart; the first reason stays. The vCPUs are kicked. Any thread, with
   the lock held. */
void vm_stop(struct vm *vm, enum vm_end end, const char *why);

/* -- the program's side: vmm/host.c -- */

void vm_lock(struct vm *vm);
void vm_unlock(struct vm *vm);

/* Makes that vCPU's thread look again at its interrupts and at vm->end. Cheap when it is not in the
 * guest. */
void vm_kick(struct vm *vm, unsigned cpu);

/* That vCPU has a new request in its leat_apic: its guest looks at it at once, if it runs. */
void vm_post(struct vm *vm, unsigned cpu);

/* One bit of the VMM's notification that nobody else uses; 0: none left. */
uint64_t vm_bit_alloc(struct vm *vm);

/* Has fn called in the device thread when one of the bits arrives (a doorbell's, or my_bits of a
   start entry). LEAT_ENOMEM. */
int vm_on_signal(struct vm *vm, uint64_t bits, vm_fn fn, void *context);

/* Has fn called in the device thread before it goes to sleep; true: there is work, look again. */
int vm_on_idle(struct vm *vm, vm_idle_fn fn, void *context);

/* An OUT of any width to that port signals bits instead of reaching the port bus; bits 0: no more.
   When the kernel refuses (all doorbells taken), the port bus still sees the write. */
int vm_doorbell(struct vm *vm, uint16_t port, uint64_t bits);

/* Signals a peer's notification (leat_start_entry.peer, .peer_bits). */
void vm_signal_peer(struct vm *vm, uint32_t peer, uint64_t bits);

/* leat_clock, in ns; the TSC of the VM: the host's at the rate of vm->tsc, to which each vCPU has an offset; UTC seconds
   since 1970. All times of TSCs in the vmm are the VM's; only a vCPU's page has the host's. */
uint64_t vm_now_ns(struct vm *vm);
uint64_t vm_now_tsc(struct vm *vm);
int64_t vm_wall_clock_s(struct vm *vm);

/* A line in the log of this VMM; bounded by the caller where a guest can cause it. */
void vm_log(struct vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
