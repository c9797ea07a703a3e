// SPDX-License-Identifier: BSD-2-Clause
/*
 * System calls of the Leat kernel.
 *
 * SYSCALL instruction; number in RAX; arguments in RDI, RSI, RDX, R10, R8, R9; result in RAX: zero or
 * positive on success, an enum leat_error otherwise. RCX and R11 are clobbered, all else is kept.
 *
 * Everything is named by a handle of the calling domain. A handle carries rights; it can be granted
 * to another domain with the same or fewer rights by whoever holds that domain with LEAT_RIGHT_CONTROL
 * (which is only its creator, unless given on). LEAT_SELF names the caller's own domain with all rights.
 * There is no synchronous IPC in the kernel: domains share memory objects and notifications, and the
 * supervisor wires them (docs/architecture.md, "Why no IPC call").
 *
 * Sizes and offsets of memory are bytes and multiples of LEAT_PAGE_SIZE unless said otherwise.
 * Only notif_wait, vcpu_run and thread_yield block.
 */
#ifndef LEAT_SYSCALL_H
#define LEAT_SYSCALL_H

#include <leat/types.h>

#define LEAT_SELF 0xffffffffu /* as a domain handle: the calling domain */

enum leat_right {
    LEAT_RIGHT_READ = 1u << 0,    /* mem: map readable; machine: its log */
    LEAT_RIGHT_WRITE = 1u << 1,   /* mem: map writable */
    LEAT_RIGHT_EXEC = 1u << 2,    /* mem: map executable */
    LEAT_RIGHT_PHYS = 1u << 3,    /* mem: ask for physical addresses (DMA) */
    LEAT_RIGHT_SIGNAL = 1u << 4,  /* notif: signal */
    LEAT_RIGHT_WAIT = 1u << 5,    /* notif: wait; be a target of irq_bind, doorbell, domain_watch */
    LEAT_RIGHT_CONTROL = 1u << 6, /* domain, guest, vcpu, irq, ports, machine: use */
    LEAT_RIGHT_GRANT = 1u << 7,   /* any: may be granted on */
    LEAT_RIGHT_ALL = 0xff,
};

enum leat_mem_flags {
    LEAT_MEM_LARGE = 1u << 0,      /* 2 MiB frames; size must be a multiple of 2 MiB */
    LEAT_MEM_CONTIGUOUS = 1u << 1, /* physically contiguous, at most 4 MiB (DMA rings); below 4 GiB */
};

enum leat_cache { /* of mem_create_phys */
    LEAT_CACHE_WB = 0,
    LEAT_CACHE_UC = 1,
    LEAT_CACHE_WC = 2,
};

/*
 * SYSTEM runs before SERVICE, SERVICE before the others; equal ones share time slices round robin.
 * DEVICE and GUEST threads share what is left by the weights of their domains (struct
 * leat_domain_sched); a DEVICE thread runs ahead of GUEST threads as long as its own domain has not had more
 * than its share.
 */
enum leat_prio {
    LEAT_PRIO_GUEST = 1,   /* vCPU threads */
    LEAT_PRIO_DEVICE = 2,  /* a vmm's device thread */
    LEAT_PRIO_SERVICE = 3, /* net, vdisk, storage */
    LEAT_PRIO_SYSTEM = 4,  /* supervisor, console */
};

#define LEAT_FOREVER UINT64_MAX /* deadline of notif_wait */

enum leat_syscall {
    /* handle_close(h). Drops the handle; the object lives while anything refers to it. */
    LEAT_SYS_HANDLE_CLOSE = 1,
    /* handle_grant(domain, h, rights) -> handle in that domain. rights must be a subset of h's. */
    LEAT_SYS_HANDLE_GRANT,

    /* domain_create(quota_pages, const char name[32], highest_prio) -> domain. The quota is taken from
       the caller's and given back when the domain is gone. highest_prio: of its threads, see
       thread_create; more than the caller's domain may have is LEAT_EPERM. */
    LEAT_SYS_DOMAIN_CREATE,
    /* domain_kill(domain, code). All its threads stop, all its handles close. LEAT_SELF: does not return. */
    LEAT_SYS_DOMAIN_KILL,
    /* domain_status(domain, struct leat_domain_status *). Works on dead domains too. */
    LEAT_SYS_DOMAIN_STATUS,
    /* domain_watch(domain, notif, bits): signals bits when the domain dies (at once if it has). */
    LEAT_SYS_DOMAIN_WATCH,
    /* domain_sched(domain, const struct leat_domain_sched *): its share of the CPUs, from now on. */
    LEAT_SYS_DOMAIN_SCHED,
    /* thread_create(domain, entry, stack_top, arg, prio) -> 0. Starts at entry with RDI = arg. prio
       above the domain's highest_prio: LEAT_EPERM. */
    LEAT_SYS_THREAD_CREATE,
    /* thread_exit(). The last thread's exit ends the domain with code 0. */
    LEAT_SYS_THREAD_EXIT,
    LEAT_SYS_THREAD_YIELD,

    /* mem_create(size, flags) -> mem, zeroed, charged to the caller. */
    LEAT_SYS_MEM_CREATE,
    /* mem_create_phys(machine, phys, size, cache) -> mem over device memory or a boot module; refused
       (LEAT_EPERM) for memory that the kernel manages. */
    LEAT_SYS_MEM_CREATE_PHYS,
    /* mem_map(domain, mem, va, offset, size, prot). va in [0x10000, 0x7fffffff0000); refused with
       LEAT_EBUSY where something is mapped. Large frames are mapped by large pages when aligned. */
    LEAT_SYS_MEM_MAP,
    /* mem_unmap(domain, va, size): whole mappings only, as they were made. */
    LEAT_SYS_MEM_UNMAP,
    /* mem_phys(mem, offset) -> physical address of that byte. Needs LEAT_RIGHT_PHYS. */
    LEAT_SYS_MEM_PHYS,

    /* notif_create() -> notif: a word of 64 pending bits. Bit 63 is reserved (results are signed). */
    LEAT_SYS_NOTIF_CREATE,
    /* notif_signal(notif, bits): ors bits in, wakes a waiter whose mask meets them. */
    LEAT_SYS_NOTIF_SIGNAL,
    /* notif_wait(notif, mask, deadline_ns) -> the pending bits under mask, which are cleared.
       deadline 0 polls (LEAT_EAGAIN); else absolute leat_clock time (LEAT_ETIMEDOUT); LEAT_FOREVER.
       Several threads may wait; bits go to the first in line whose mask meets them. */
    LEAT_SYS_NOTIF_WAIT,

    /* irq_bind(machine, gsi, flags, notif, bits) -> irq. flags: LEAT_IRQ_*. Arrives masked-until-ack:
       after each signal the line stays masked until irq_ack. Shared lines: LEAT_EBUSY. */
    LEAT_SYS_IRQ_BIND,
    /* irq_ack(irq) */
    LEAT_SYS_IRQ_ACK,
    /* ports_create(machine, first, count) -> ports */
    LEAT_SYS_PORTS_CREATE,
    /* port_read(ports, port, width) -> value; width 1, 2 or 4 bytes */
    LEAT_SYS_PORT_READ,
    /* port_write(ports, port, width, value) */
    LEAT_SYS_PORT_WRITE,

    /* guest_create() -> guest: an empty guest-physical address space. LEAT_ENOSYS without VT-x/AMD-V. */
    LEAT_SYS_GUEST_CREATE,
    /* guest_map(guest, mem, gpa, offset, size, prot); large pages where alignment allows. */
    LEAT_SYS_GUEST_MAP,
    /* guest_unmap(guest, gpa, size): any 4 KiB range. Nested TLBs are flushed before it returns. */
    LEAT_SYS_GUEST_UNMAP,
    /* guest_doorbell(guest, port, notif, bits): an OUT of any width to that I/O port signals bits and the
       guest goes on without an exit to ring 3. notif 0 removes it. At most 64 a guest. */
    LEAT_SYS_GUEST_DOORBELL,
    /* guest_cpuid(guest, const struct leat_cpuid_entry *, count <= 64): what CPUID answers; the kernel
       patches the few bits that mirror guest state (OSXSAVE) or the vCPU (the APIC id in leaves 1, 0xb
       and 0x1f is its index). Leaves that are not in the table answer zero. */
    LEAT_SYS_GUEST_CPUID,

    /* vcpu_create(guest, index, state, tsc_ratio) -> vcpu. state: a mem object of one page that holds struct
       leat_vcpu (vcpu.h), or of three, struct leat_apic behind it; it starts in the state that the page describes.
       tsc_ratio: see vcpu.h. */
    LEAT_SYS_VCPU_CREATE,
    /* vcpu_run(vcpu) -> enum leat_exit. Blocks. One thread at a time (LEAT_EBUSY). */
    LEAT_SYS_VCPU_RUN,
    /* vcpu_kick(vcpu, enum leat_kick): makes the current or the next vcpu_run return LEAT_EXIT_KICK; or only look at
       leat_apic.requests, if it is under way. */
    LEAT_SYS_VCPU_KICK,
    /* vcpu_sync(vcpu, groups): fills LEAT_VCPU_* groups of the page; while no vcpu_run is under way. */
    LEAT_SYS_VCPU_SYNC,

    /* log_write(const char *, len <= 1024): into the kernel's log, and onto the serial line until
       log_takeover. */
    LEAT_SYS_LOG_WRITE,
    /* log_read(machine, char *, len, position) -> bytes copied, from that absolute position of the log
       (or the oldest that is kept, see the info page). Needs LEAT_RIGHT_READ only. */
    LEAT_SYS_LOG_READ,
    /* log_takeover(machine): the console owns the serial line from now on; the kernel only uses it to
       say why it stops. Needs LEAT_RIGHT_READ only. */
    LEAT_SYS_LOG_TAKEOVER,
    /* machine_halt(machine): all CPUs, for ever, after a line in the log. Does not return on success. */
    LEAT_SYS_MACHINE_HALT,
    /* frames_info(machine, struct leat_frames_info *) */
    LEAT_SYS_FRAMES_INFO,
    /* cpus_info(machine, struct leat_cpu_info *, count) -> number of CPUs in use; fills at most count. */
    LEAT_SYS_CPUS_INFO,
    /* machine_mitigate(machine, LEAT_MITIGATE_* bits, LEAT_SPEC_* bits) -> the CPU's IA32_ARCH_CAPABILITIES (0: none).
       From now on, on all CPUs; nothing is done before. LEAT_EINVAL, and no change: the CPU lacks one of them. */
    LEAT_SYS_MACHINE_MITIGATE,

    LEAT_SYS_COUNT
};

enum leat_irq_flags {
    LEAT_IRQ_LEVEL = 1u << 0,
    LEAT_IRQ_ACTIVE_LOW = 1u << 1,
};

struct leat_domain_status {
    char name[32];
    uint32_t alive;          /* 0: dead */
    int32_t code;            /* exit code of a dead one */
    uint32_t fault_vector;   /* CPU exception that killed it; UINT32_MAX: none */
    uint32_t fault_error;
    uint64_t fault_rip, fault_address;
    uint64_t quota_pages, used_pages;
    uint64_t cpu_ns;         /* CPU time of all its threads so far, guest time included */
    uint64_t capped_ns;      /* time for which a ready thread had to wait because of cap_permille */
};

enum leat_sched_flags {
    /* While one of its GUEST or DEVICE threads runs on a core, the core's other hardware threads run none
       of another domain's: they idle instead. */
    LEAT_SCHED_OWN_CORE = 1u << 0,
};

#define LEAT_SCHED_WEIGHT 100u /* of a domain that nobody has said anything about */

struct leat_domain_sched { /* counts for its GUEST and DEVICE threads, all together */
    uint32_t weight;       /* 1 ... 10000 */
    uint32_t cap_permille; /* of one CPU's time; 0: no cap. 250: a quarter of one CPU, 2000: two CPUs */
    uint32_t flags;        /* enum leat_sched_flags */
    uint32_t reserved;
    uint64_t cpus;         /* bit n: may run on CPU n; 0: on all. For all its threads */
};

struct leat_cpu_info {
    uint32_t apic_id;
    uint32_t core;    /* CPUs with equal numbers are hardware threads of one core */
    uint64_t idle_ns; /* halted so far */
};

struct leat_frames_info {
    uint64_t total_bytes;   /* usable RAM that the kernel was given */
    uint64_t free_bytes;    /* in the free lists */
    uint64_t kernel_bytes;  /* image, tables, objects, stacks */
};

struct leat_cpuid_entry {
    uint32_t leaf, subleaf;
    uint32_t has_subleaf; /* 0: answers for every subleaf */
    uint32_t eax, ebx, ecx, edx;
    uint32_t reserved;
};

/*
 * The info page: mapped readable in every domain at LEAT_INFO_VA, filled by the kernel.
 * leat_clock (ns since the kernel started) = ((rdtsc() - tsc_base) * tsc_mult) >> 32, computed in
 * 128 bits.
 *
 * FS.base of every ring-3 thread is LEAT_INFO_VA too, a constant that needs no saving: code that was
 * compiled for glibc with a stack protector (libinih) finds a readable word at %fs:0x28.
 */
#define LEAT_INFO_VA 0x8000ull

enum leat_virt {
    LEAT_VIRT_VMX = 1,
    LEAT_VIRT_SVM = 2,
    LEAT_VIRT_NONE = 3,       /* CPU has neither VT-x nor AMD-V */
    LEAT_VIRT_LOCKED_OFF = 4, /* there, but firmware has switched it off and locked that */
    LEAT_VIRT_LACKING = 5,    /* VT-x without EPT or unrestricted guest: virt_lacks says what */
};

struct leat_info {
    uint64_t magic; /* LEAT_INFO_MAGIC */
    uint64_t tsc_base, tsc_mult, tsc_hz;
    int64_t wall_clock_base_s; /* UTC seconds since 1970 at leat_clock 0 */
    uint32_t cpus;
    uint32_t virt; /* enum leat_virt */
    char virt_lacks[64];
    uint64_t log_head; /* absolute position of the next byte of the kernel's log */
    uint64_t log_size; /* bytes kept */
    uint64_t tsc_fraction_bits; /* of a vCPU's tsc_ratio, that the CPU has; 0: it does not scale */
};
#define LEAT_INFO_MAGIC 0x6f666e695f74656cull
_Static_assert(offsetof(struct leat_info, cpus) == 0x28 && offsetof(struct leat_info, virt) == 0x2c,
               "the word at %fs:0x28 never changes once ring 3 runs");

#endif
