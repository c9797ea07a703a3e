// SPDX-License-Identifier: BSD-2-Clause
/*
 * One inline function for each system call; include/leat/syscall.h says what each does, returns and
 * needs. Ring 3 only. Every result is zero or positive, or an enum leat_error.
 */
#ifndef LIB_SYS_H
#define LIB_SYS_H

#include <leat/syscall.h>

static inline int64_t leat_syscall(enum leat_syscall number, uint64_t a, uint64_t b, uint64_t c,
                                   uint64_t d, uint64_t e, uint64_t f)
{
    int64_t result;
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((uint64_t)number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline int64_t leat_handle_close(leat_handle_t h)
{
    return leat_syscall(LEAT_SYS_HANDLE_CLOSE, h, 0, 0, 0, 0, 0);
}

static inline int64_t leat_handle_grant(leat_handle_t domain, leat_handle_t h, uint32_t rights)
{
    return leat_syscall(LEAT_SYS_HANDLE_GRANT, domain, h, rights, 0, 0, 0);
}

/* name: 32 bytes are read. */
static inline int64_t leat_domain_create(uint64_t quota_pages, const char name[32],
                                         enum leat_prio highest_prio)
{
    return leat_syscall(LEAT_SYS_DOMAIN_CREATE, quota_pages, (uintptr_t)name, highest_prio, 0, 0,
                        0);
}

static inline int64_t leat_domain_kill(leat_handle_t domain, int32_t code)
{
    return leat_syscall(LEAT_SYS_DOMAIN_KILL, domain, (uint64_t)(int64_t)code, 0, 0, 0, 0);
}

static inline int64_t leat_domain_status(leat_handle_t domain, struct leat_domain_status *status)
{
    return leat_syscall(LEAT_SYS_DOMAIN_STATUS, domain, (uintptr_t)status, 0, 0, 0, 0);
}

static inline int64_t leat_domain_watch(leat_handle_t domain, leat_handle_t notif, uint64_t bits)
{
    return leat_syscall(LEAT_SYS_DOMAIN_WATCH, domain, notif, bits, 0, 0, 0);
}

static inline int64_t leat_domain_sched(leat_handle_t domain, const struct leat_domain_sched *share)
{
    return leat_syscall(LEAT_SYS_DOMAIN_SCHED, domain, (uintptr_t)share, 0, 0, 0, 0);
}

static inline int64_t leat_thread_create(leat_handle_t domain, uint64_t entry, uint64_t stack_top,
                                         uint64_t arg, enum leat_prio prio)
{
    return leat_syscall(LEAT_SYS_THREAD_CREATE, domain, entry, stack_top, arg, prio, 0);
}

static inline int64_t leat_thread_exit(void)
{
    return leat_syscall(LEAT_SYS_THREAD_EXIT, 0, 0, 0, 0, 0, 0);
}

static inline int64_t leat_thread_yield(void)
{
    return leat_syscall(LEAT_SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
}

static inline int64_t leat_mem_create(uint64_t size, uint32_t flags)
{
    return leat_syscall(LEAT_SYS_MEM_CREATE, size, flags, 0, 0, 0, 0);
}

static inline int64_t leat_mem_create_phys(leat_handle_t machine, uint64_t base_hpa, uint64_t size,
                                           enum leat_cache cache)
{
    return leat_syscall(LEAT_SYS_MEM_CREATE_PHYS, machine, base_hpa, size, cache, 0, 0);
}

static inline int64_t leat_mem_map(leat_handle_t domain, leat_handle_t mem, uint64_t va,
                                   uint64_t offset, uint64_t size, uint32_t prot)
{
    return leat_syscall(LEAT_SYS_MEM_MAP, domain, mem, va, offset, size, prot);
}

static inline int64_t leat_mem_unmap(leat_handle_t domain, uint64_t va, uint64_t size)
{
    return leat_syscall(LEAT_SYS_MEM_UNMAP, domain, va, size, 0, 0, 0);
}

static inline int64_t leat_mem_phys(leat_handle_t mem, uint64_t offset)
{
    return leat_syscall(LEAT_SYS_MEM_PHYS, mem, offset, 0, 0, 0, 0);
}

static inline int64_t leat_notif_create(void)
{
    return leat_syscall(LEAT_SYS_NOTIF_CREATE, 0, 0, 0, 0, 0, 0);
}

static inline int64_t leat_notif_signal(leat_handle_t notif, uint64_t bits)
{
    return leat_syscall(LEAT_SYS_NOTIF_SIGNAL, notif, bits, 0, 0, 0, 0);
}

static inline int64_t leat_notif_wait(leat_handle_t notif, uint64_t mask, uint64_t deadline_ns)
{
    return leat_syscall(LEAT_SYS_NOTIF_WAIT, notif, mask, deadline_ns, 0, 0, 0);
}

static inline int64_t leat_irq_bind(leat_handle_t machine, uint32_t gsi, uint32_t flags,
                                    leat_handle_t notif, uint64_t bits)
{
    return leat_syscall(LEAT_SYS_IRQ_BIND, machine, gsi, flags, notif, bits, 0);
}

static inline int64_t leat_irq_ack(leat_handle_t irq)
{
    return leat_syscall(LEAT_SYS_IRQ_ACK, irq, 0, 0, 0, 0, 0);
}

static inline int64_t leat_ports_create(leat_handle_t machine, uint32_t first, uint32_t count)
{
    return leat_syscall(LEAT_SYS_PORTS_CREATE, machine, first, count, 0, 0, 0);
}

static inline int64_t leat_port_read(leat_handle_t ports, uint32_t port, unsigned width)
{
    return leat_syscall(LEAT_SYS_PORT_READ, ports, port, width, 0, 0, 0);
}

static inline int64_t leat_port_write(leat_handle_t ports, uint32_t port, unsigned width,
                                      uint32_t value)
{
    return leat_syscall(LEAT_SYS_PORT_WRITE, ports, port, width, value, 0, 0);
}

static inline int64_t leat_guest_create(void)
{
    return leat_syscall(LEAT_SYS_GUEST_CREATE, 0, 0, 0, 0, 0, 0);
}

static inline int64_t leat_guest_map(leat_handle_t guest, leat_handle_t mem, uint64_t at_gpa,
                                     uint64_t offset, uint64_t size, uint32_t prot)
{
    return leat_syscall(LEAT_SYS_GUEST_MAP, guest, mem, at_gpa, offset, size, prot);
}

static inline int64_t leat_guest_unmap(leat_handle_t guest, uint64_t at_gpa, uint64_t size)
{
    return leat_syscall(LEAT_SYS_GUEST_UNMAP, guest, at_gpa, size, 0, 0, 0);
}

static inline int64_t leat_guest_doorbell(leat_handle_t guest, uint32_t port, leat_handle_t notif,
                                          uint64_t bits)
{
    return leat_syscall(LEAT_SYS_GUEST_DOORBELL, guest, port, notif, bits, 0, 0);
}

static inline int64_t leat_guest_cpuid(leat_handle_t guest, const struct leat_cpuid_entry *entries,
                                       uint32_t count)
{
    return leat_syscall(LEAT_SYS_GUEST_CPUID, guest, (uintptr_t)entries, count, 0, 0, 0);
}

static inline int64_t leat_vcpu_create(leat_handle_t guest, uint32_t index, leat_handle_t state,
                                       uint64_t tsc_ratio)
{
    return leat_syscall(LEAT_SYS_VCPU_CREATE, guest, index, state, tsc_ratio, 0, 0);
}

static inline int64_t leat_vcpu_run(leat_handle_t vcpu)
{
    return leat_syscall(LEAT_SYS_VCPU_RUN, vcpu, 0, 0, 0, 0, 0);
}

static inline int64_t leat_vcpu_kick(leat_handle_t vcpu, uint32_t what)
{
    return leat_syscall(LEAT_SYS_VCPU_KICK, vcpu, what, 0, 0, 0, 0);
}

static inline int64_t leat_vcpu_sync(leat_handle_t vcpu, uint32_t groups)
{
    return leat_syscall(LEAT_SYS_VCPU_SYNC, vcpu, groups, 0, 0, 0, 0);
}

static inline int64_t leat_log_write(const char *text, size_t length)
{
    return leat_syscall(LEAT_SYS_LOG_WRITE, (uintptr_t)text, length, 0, 0, 0, 0);
}

static inline int64_t leat_log_read(leat_handle_t machine, char *buffer, size_t size,
                                    uint64_t position)
{
    return leat_syscall(LEAT_SYS_LOG_READ, machine, (uintptr_t)buffer, size, position, 0, 0);
}

static inline int64_t leat_log_takeover(leat_handle_t machine)
{
    return leat_syscall(LEAT_SYS_LOG_TAKEOVER, machine, 0, 0, 0, 0, 0);
}

static inline int64_t leat_machine_halt(leat_handle_t machine)
{
    return leat_syscall(LEAT_SYS_MACHINE_HALT, machine, 0, 0, 0, 0, 0);
}

static inline int64_t leat_frames_info(leat_handle_t machine, struct leat_frames_info *info)
{
    return leat_syscall(LEAT_SYS_FRAMES_INFO, machine, (uintptr_t)info, 0, 0, 0, 0);
}

static inline int64_t leat_cpus_info(leat_handle_t machine, struct leat_cpu_info *cpus,
                                     uint32_t count)
{
    return leat_syscall(LEAT_SYS_CPUS_INFO, machine, (uintptr_t)cpus, count, 0, 0, 0);
}

static inline int64_t leat_machine_mitigate(leat_handle_t machine, uint32_t bits, uint32_t spec)
{
    return leat_syscall(LEAT_SYS_MACHINE_MITIGATE, machine, bits, spec, 0, 0, 0);
}

#endif
