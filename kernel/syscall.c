// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/syscall.h"
#include "kernel/smp.h"

static SYSCALL(none)
{
    (void)self, (void)args;
    return LEAT_ENOSYS;
}

/* The entry code has checked the number against LEAT_SYS_COUNT. */
static const syscall_fn syscall_table[LEAT_SYS_COUNT] = {
    [0] = sys_none,
    [LEAT_SYS_HANDLE_CLOSE] = sys_handle_close,
    [LEAT_SYS_HANDLE_GRANT] = sys_handle_grant,
    [LEAT_SYS_DOMAIN_CREATE] = sys_domain_create,
    [LEAT_SYS_DOMAIN_KILL] = sys_domain_kill,
    [LEAT_SYS_DOMAIN_STATUS] = sys_domain_status,
    [LEAT_SYS_DOMAIN_WATCH] = sys_domain_watch,
    [LEAT_SYS_DOMAIN_SCHED] = sys_domain_sched,
    [LEAT_SYS_THREAD_CREATE] = sys_thread_create,
    [LEAT_SYS_THREAD_EXIT] = sys_thread_exit,
    [LEAT_SYS_THREAD_YIELD] = sys_thread_yield,
    [LEAT_SYS_MEM_CREATE] = sys_mem_create,
    [LEAT_SYS_MEM_CREATE_PHYS] = sys_mem_create_phys,
    [LEAT_SYS_MEM_MAP] = sys_mem_map,
    [LEAT_SYS_MEM_UNMAP] = sys_mem_unmap,
    [LEAT_SYS_MEM_PHYS] = sys_mem_phys,
    [LEAT_SYS_NOTIF_CREATE] = sys_notif_create,
    [LEAT_SYS_NOTIF_SIGNAL] = sys_notif_signal,
    [LEAT_SYS_NOTIF_WAIT] = sys_notif_wait,
    [LEAT_SYS_IRQ_BIND] = sys_irq_bind,
    [LEAT_SYS_IRQ_ACK] = sys_irq_ack,
    [LEAT_SYS_PORTS_CREATE] = sys_ports_create,
    [LEAT_SYS_PORT_READ] = sys_port_read,
    [LEAT_SYS_PORT_WRITE] = sys_port_write,
    [LEAT_SYS_GUEST_CREATE] = sys_guest_create,
    [LEAT_SYS_GUEST_MAP] = sys_guest_map,
    [LEAT_SYS_GUEST_UNMAP] = sys_guest_unmap,
    [LEAT_SYS_GUEST_DOORBELL] = sys_guest_doorbell,
    [LEAT_SYS_GUEST_CPUID] = sys_guest_cpuid,
    [LEAT_SYS_VCPU_CREATE] = sys_vcpu_create,
    [LEAT_SYS_VCPU_RUN] = sys_vcpu_run,
    [LEAT_SYS_VCPU_KICK] = sys_vcpu_kick,
    [LEAT_SYS_VCPU_SYNC] = sys_vcpu_sync,
    [LEAT_SYS_LOG_WRITE] = sys_log_write,
    [LEAT_SYS_LOG_READ] = sys_log_read,
    [LEAT_SYS_LOG_TAKEOVER] = sys_log_takeover,
    [LEAT_SYS_MACHINE_STOP] = sys_machine_stop,
    [LEAT_SYS_FRAMES_INFO] = sys_frames_info,
    [LEAT_SYS_CPUS_INFO] = sys_cpus_info,
};

int64_t syscall_dispatch(uint64_t number, const uint64_t args[6])
{
    kernel_lock();
    return syscall_table[number](this_cpu()->current, args);
}
