// SPDX-License-Identifier: BSD-2-Clause
/*
 * System-call handlers, one for each number of <leat/syscall.h>. Each checks its arguments itself,
 * and runs on the caller's kernel stack with interrupts off. The result goes to RAX.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <leat/syscall.h>
#include "kernel/domain.h"
#include "kernel/thread.h"

typedef int64_t (*syscall_fn)(struct thread *self, const uint64_t args[6]);
#define SYSCALL(name) int64_t sys_##name(struct thread *self, const uint64_t args[6])

int64_t syscall_dispatch(uint64_t number, const uint64_t args[6]); /* takes the lock; for the entry code */

/* Object of a handle of the caller, with a reference: see handle_get. */
static inline int syscall_get(struct thread *self, uint64_t handle, enum object_kind kind,
                              uint32_t rights, struct object **object)
{
    return handle_get(&self->domain->handles, handle, kind, rights, object);
}

/* The same for a domain argument, where LEAT_SELF means the caller's. Needs LEAT_RIGHT_CONTROL. */
int syscall_get_domain(struct thread *self, uint64_t handle, struct domain **domain);

/* Gives a new object to the caller: the handle with `rights`, or an error. Takes over the caller's
   reference either way. */
int64_t syscall_give(struct thread *self, struct object *object, uint32_t rights);

/* handle.c, domain calls */
SYSCALL(handle_close);
SYSCALL(handle_grant);
SYSCALL(domain_create);
SYSCALL(domain_kill);
SYSCALL(domain_status);
SYSCALL(domain_watch);
SYSCALL(domain_sched);
SYSCALL(thread_create);
SYSCALL(thread_exit);
SYSCALL(thread_yield);
/* memory */
SYSCALL(mem_create);
SYSCALL(mem_create_phys);
SYSCALL(mem_map);
SYSCALL(mem_unmap);
SYSCALL(mem_phys);
/* notifications */
SYSCALL(notif_create);
SYSCALL(notif_signal);
SYSCALL(notif_wait);
/* devices */
SYSCALL(irq_bind);
SYSCALL(irq_ack);
SYSCALL(ports_create);
SYSCALL(port_read);
SYSCALL(port_write);
/* guest.c */
SYSCALL(guest_create);
SYSCALL(guest_map);
SYSCALL(guest_unmap);
SYSCALL(guest_doorbell);
SYSCALL(guest_cpuid);
/* vcpu.c */
SYSCALL(vcpu_create);
SYSCALL(vcpu_run);
SYSCALL(vcpu_kick);
SYSCALL(vcpu_sync);
/* machine */
SYSCALL(log_write);
SYSCALL(log_read);
SYSCALL(log_takeover);
SYSCALL(machine_stop);
SYSCALL(frames_info);
SYSCALL(cpus_info);

#endif
