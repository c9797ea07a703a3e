// SPDX-License-Identifier: BSD-2-Clause
/*
 * System-call handlers, one for each number of <leat/syscall.h>. They run on the caller's kernel stack with
 * interrupts off and the lock held; the result goes to RAX.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <leat/syscall.h>
#include "kernel/domain.h"
#include "kernel/thread.h"

/* object: what args[0] names, kept for the length of the call; NULL where args[0] is no handle. Everything else the
   handler checks itself. */
#define SYSCALL(name)                                                                              \
    int64_t sys_##name(struct thread *self __attribute__((unused)),                                \
                       struct object *object __attribute__((unused)),                              \
                       const uint64_t args[6] __attribute__((unused)))

/* CALL(number, handler, kind of the object that args[0] names, rights that the handle must have). A DOMAIN may also be
   LEAT_SELF. */
// clang-format off
#define SYSCALLS(CALL)                                                     \
    CALL(HANDLE_CLOSE, handle_close, NONE, 0)                              \
    CALL(HANDLE_GRANT, handle_grant, DOMAIN, LEAT_RIGHT_CONTROL)           \
    CALL(DOMAIN_CREATE, domain_create, NONE, 0)                            \
    CALL(DOMAIN_KILL, domain_kill, DOMAIN, LEAT_RIGHT_CONTROL)             \
    CALL(DOMAIN_STATUS, domain_status, DOMAIN, LEAT_RIGHT_CONTROL)         \
    CALL(DOMAIN_WATCH, domain_watch, DOMAIN, LEAT_RIGHT_CONTROL)           \
    CALL(DOMAIN_SCHED, domain_sched, DOMAIN, LEAT_RIGHT_CONTROL)           \
    CALL(THREAD_CREATE, thread_create, DOMAIN, LEAT_RIGHT_CONTROL)         \
    CALL(THREAD_EXIT, thread_exit, NONE, 0)                                \
    CALL(THREAD_YIELD, thread_yield, NONE, 0)                              \
    CALL(MEM_CREATE, mem_create, NONE, 0)                                  \
    CALL(MEM_CREATE_PHYS, mem_create_phys, MACHINE, LEAT_RIGHT_CONTROL)    \
    CALL(MEM_MAP, mem_map, DOMAIN, LEAT_RIGHT_CONTROL)                     \
    CALL(MEM_UNMAP, mem_unmap, DOMAIN, LEAT_RIGHT_CONTROL)                 \
    CALL(MEM_PHYS, mem_phys, MEM, LEAT_RIGHT_PHYS)                         \
    CALL(NOTIF_CREATE, notif_create, NONE, 0)                              \
    CALL(NOTIF_SIGNAL, notif_signal, NOTIF, LEAT_RIGHT_SIGNAL)             \
    CALL(NOTIF_WAIT, notif_wait, NOTIF, LEAT_RIGHT_WAIT)                   \
    CALL(IRQ_BIND, irq_bind, MACHINE, LEAT_RIGHT_CONTROL)                  \
    CALL(IRQ_ACK, irq_ack, IRQ, LEAT_RIGHT_CONTROL)                        \
    CALL(PORTS_CREATE, ports_create, MACHINE, LEAT_RIGHT_CONTROL)          \
    CALL(PORT_READ, port_read, PORTS, LEAT_RIGHT_CONTROL)                  \
    CALL(PORT_WRITE, port_write, PORTS, LEAT_RIGHT_CONTROL)                \
    CALL(GUEST_CREATE, guest_create, NONE, 0)                              \
    CALL(GUEST_MAP, guest_map, GUEST, LEAT_RIGHT_CONTROL)                  \
    CALL(GUEST_UNMAP, guest_unmap, GUEST, LEAT_RIGHT_CONTROL)              \
    CALL(GUEST_DOORBELL, guest_doorbell, GUEST, LEAT_RIGHT_CONTROL)        \
    CALL(GUEST_CPUID, guest_cpuid, GUEST, LEAT_RIGHT_CONTROL)              \
    CALL(VCPU_CREATE, vcpu_create, GUEST, LEAT_RIGHT_CONTROL)              \
    CALL(VCPU_RUN, vcpu_run, VCPU, LEAT_RIGHT_CONTROL)                     \
    CALL(VCPU_KICK, vcpu_kick, VCPU, LEAT_RIGHT_CONTROL)                   \
    CALL(VCPU_SYNC, vcpu_sync, VCPU, LEAT_RIGHT_CONTROL)                   \
    CALL(LOG_WRITE, log_write, NONE, 0)                                    \
    CALL(LOG_READ, log_read, MACHINE, LEAT_RIGHT_READ)                     \
    CALL(LOG_TAKEOVER, log_takeover, MACHINE, LEAT_RIGHT_READ)             \
    CALL(MACHINE_HALT, machine_halt, MACHINE, LEAT_RIGHT_CONTROL)          \
    CALL(FRAMES_INFO, frames_info, MACHINE, LEAT_RIGHT_CONTROL)            \
    CALL(CPUS_INFO, cpus_info, MACHINE, LEAT_RIGHT_CONTROL)                \
    CALL(MACHINE_MITIGATE, machine_mitigate, MACHINE, LEAT_RIGHT_CONTROL)
// clang-format on
#define CALL(number, name, kind, rights) SYSCALL(name);
SYSCALLS(CALL)
#undef CALL

/* For the entry code; takes the lock. */
int64_t syscall_dispatch(uint64_t number, const uint64_t args[6]);

/* Object of another handle of the caller, with a reference: see handle_get. */
static inline int syscall_get(struct thread *self, uint64_t handle, enum object_kind kind,
                              uint32_t rights, struct object **object)
{
    return handle_get(&self->domain->handles, handle, kind, rights, object);
}

/* Gives a new object to the caller: the handle with `rights`, or an error. Takes over the caller's
   reference either way. */
int64_t syscall_give(struct thread *self, struct object *object, uint32_t rights);

#endif
