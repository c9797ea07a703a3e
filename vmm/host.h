// SPDX-License-Identifier: BSD-2-Clause
/*
 * The program's side of a VM: handles, the lock, the device thread's loop, the vCPU threads. The
 * first thread of the process is the device thread; each vCPU has a thread of its own.
 */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include "lib/loop.h"
#include "lib/mutex.h"
#include "vmm/cpu/vcpu.h"
#include "vmm/vm.h"

#define HOST_MAX_SIGNALS 32
#define HOST_MAX_IDLES 16

struct host_signal {
    struct vm *vm;
    vm_fn fn;
    void *context;
};

struct vm_host {
    struct leat_mutex lock;
    struct leat_loop loop;
    leat_handle_t notif, guest;
    uint64_t bits_taken; /* of the own notification */
    unsigned signal_count, idle_count;
    struct host_signal signals[HOST_MAX_SIGNALS];
    struct {
        vm_idle_fn fn;
        void *context;
    } idles[HOST_MAX_IDLES];
    leat_handle_t vcpus[VM_MAX_CPUS];
    leat_handle_t park;  /* notification: bit n lets vCPU n run again */
    uint64_t parked_bit; /* of the own notification: all vCPUs are parked */
    unsigned parked_count;
    bool is_answering; /* log lines are the answer to a query of the supervisor */
    uint64_t query;    /* its number */
};

/* Lock, loop, notifications; vm->host is set. LEAT_ENOMEM, LEAT_ENOENT. */
int host_init(struct vm_host *host, struct vm *vm);

/* Reports the state of all vCPUs when none of them has come out of the guest for a long time. */
int host_watch(struct vm *vm);

/* Makes the vCPU's kernel object and its page. The page's address, or NULL. */
struct leat_vcpu *host_vcpu_create(struct vm *vm, unsigned index);

/* Starts the threads of all vCPUs. Each parks itself when vm->end is set; when all are parked, fn
   is called in the device thread, with the lock held. LEAT_ENOMEM. */
int host_run(struct vm *vm, vm_fn all_parked);

/* Lets the parked vCPUs go on; vm->end is VM_END_NONE again. */
void host_unpark(struct vm *vm);

#endif
