// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/trap.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/mitigate.h"
#include "kernel/domain.h"
#include "kernel/fpu.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "kernel/syscall.h"

enum { VECTOR_NMI = 2, VECTOR_GENERAL_PROTECTION = 13, VECTOR_PAGE_FAULT = 14, EXCEPTIONS = 32 };

extern const uint8_t user_copy_insn[], user_copy_fault[];
size_t user_copy(void *to, const void *from, size_t bytes);

const uint64_t syscall_count = LEAT_SYS_COUNT; /* for syscall.S */

_Static_assert(offsetof(struct percpu, self) == PERCPU_SELF, "percpu.h");
_Static_assert(offsetof(struct percpu, current) == PERCPU_CURRENT, "percpu.h");
_Static_assert(offsetof(struct percpu, user_sp) == PERCPU_USER_SP, "percpu.h");
_Static_assert(offsetof(struct percpu, kernel_sp) == PERCPU_KERNEL_SP, "percpu.h");
_Static_assert(offsetof(struct percpu, work) == PERCPU_WORK, "percpu.h");

_Noreturn static void die(const struct trap_frame *f)
{
    log_take_back();
    klog("rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
    klog("rsi %016lx rdi %016lx rbp %016lx rsp %016lx", f->rsi, f->rdi, f->rbp, f->rsp);
    klog("r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
    klog("r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
    klog("cr2 %016lx cr3 %016lx cs %lx flags %lx", read_cr2(), read_cr3(), f->cs, f->rflags);
    panic("exception %lu in the kernel, error %#lx, at %#lx, address %#lx", f->vector, f->error,
          f->rip, read_cr2());
}

/* Returns to ring 3 with the lock: the entry code looks at `work`, then lets go of it. */
void trap_handler(struct trap_frame *f)
{
    if (f->vector == VECTOR_NMI) {
        if (machine_has_stopped)
            arch_halt();
        return; /* else nobody knows what it means */
    }
    bool from_idle = !(f->cs & 3) && this_cpu()->is_idling;
    if ((f->cs & 3) || from_idle)
        kernel_lock();
    if (f->vector >= EXCEPTIONS) {
        arch_dispatch_irq((unsigned)f->vector);
    } else if ((f->cs & 3) && f->vector != 8 && f->vector != 18) {
        domain_fault(this_cpu()->current->domain, (uint32_t)f->vector, (uint32_t)f->error, f->rip,
                     f->vector == VECTOR_PAGE_FAULT ? read_cr2() : 0);
    } else if (f->rip == (uint64_t)user_copy_insn &&
               (f->vector == VECTOR_PAGE_FAULT || f->vector == VECTOR_GENERAL_PROTECTION)) {
        f->rip = (uint64_t)user_copy_fault;
    } else {
        die(f);
    }
    if (from_idle)
        kernel_unlock();
}

void user_return_work(void)
{
    struct percpu *cpu;
    while ((cpu = this_cpu())->work) {
        if (cpu->work & CPU_WORK_KILL)
            thread_exit();
        if (cpu->work & CPU_WORK_RESCHED) {
            schedule();
            continue;
        }
        if (cpu->work & CPU_WORK_FPU)
            fpu_load_slow(&cpu->current->fpu);
        if (cpu->work & CPU_WORK_MSRS) {
            arch_load_syscall_msrs();
            cpu->work &= ~(uint32_t)CPU_WORK_MSRS;
        }
        if (cpu->work & CPU_WORK_BARRIER)
            mitigate_switch(false);
    }
}

static bool copy(void *to, const void *from, uint64_t user, size_t bytes)
{
    if (user >= USER_END || bytes > USER_END - user)
        return false;
    if (cpu_features.smap)
        __asm__ volatile("stac" ::: "memory");
    size_t rest = user_copy(to, from, bytes);
    if (cpu_features.smap)
        __asm__ volatile("clac" ::: "memory");
    return rest == 0;
}

bool user_copy_in(void *to, uint64_t from_user, size_t bytes)
{
    return copy(to, (const void *)from_user, from_user, bytes);
}

bool user_copy_out(uint64_t to_user, const void *from, size_t bytes)
{
    return copy((void *)to_user, from, to_user, bytes);
}
