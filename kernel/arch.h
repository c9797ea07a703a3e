// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the architecture gives to the rest of the kernel. Everything is called with interrupts off
 * unless it says so.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <leat/bootinfo.h>
#include <leat/syscall.h>
#include <leat/types.h>

struct percpu;
struct quota;
struct thread;

/* -- memory -- */

#define DIRECT_MAP_BASE 0xffff800000000000ull
#define USER_END 0x0000800000000000ull

/* RAM of the boot memory map through the direct map; device memory is not in it. */
static inline void *phys_to_ptr(hpa_t at)
{
    return (void *)(DIRECT_MAP_BASE + at.raw);
}
static inline hpa_t ptr_to_phys(const void *direct) /* of a direct-map pointer */
{
    return hpa((uint64_t)direct - DIRECT_MAP_BASE);
}
hpa_t kernel_to_phys(const void *in_image); /* of an address in the kernel's image (.data, .bss) */

/* End of the physical addresses that the CPU has. */
uint64_t arch_phys_end(void);

/* Maps a page of device memory for the kernel itself, uncached, for ever; the same page only once.
   NULL: no room. */
volatile void *arch_map_mmio(hpa_t page);
/* True if these whole pages meet what arch_map_mmio has mapped: the interrupt controllers'. */
bool arch_owns_mmio(hpa_t base, uint64_t size);

struct arch_space {
    uint64_t root; /* raw hpa of the top-level table */
    struct quota *quota;
};
int arch_space_init(struct arch_space *space, struct quota *quota);
void arch_space_destroy(struct arch_space *space); /* what is mapped is not freed, tables are */
/* One page of 1 << page_shift (12 or 21). prot: enum leat_prot; cache: enum leat_cache. LEAT_OK,
   LEAT_ENOMEM. The place must be free. */
int arch_space_map(struct arch_space *space, uint64_t va, hpa_t page, unsigned page_shift,
                   uint32_t prot, uint32_t cache);
/* Unmaps whatever page is at va: returns its page_shift, 0: there was none. */
unsigned arch_space_unmap(struct arch_space *space, uint64_t va);
/* After it no CPU reaches what was unmapped before. */
void arch_space_flush(const struct arch_space *space);

/* Copies between kernel and ring 3's current address space; never faults: false if any byte is not
   mapped as needed (some may have been copied). */
bool user_copy_in(void *to, uint64_t from_user, size_t bytes);
bool user_copy_out(uint64_t to_user, const void *from, size_t bytes);

/* -- threads -- */

#define KERNEL_STACK_BYTES 12288u
struct kernel_stack {
    uint64_t top; /* 0: none */
    uint32_t slot;
};
bool kernel_stack_alloc(struct kernel_stack *stack); /* with an unmapped page below it */
void kernel_stack_free(struct kernel_stack *stack);

/* Prepares thread->kernel_sp so that the first switch to it enters ring 3. */
void arch_thread_prepare(struct thread *thread, uint64_t entry, uint64_t stack_top, uint64_t arg);
/* Switches stacks, address space and the CPU's notion of the kernel stack; not the FPU. */
void arch_switch(struct thread *from, struct thread *to);

/* Ring-3 or guest state of the FPU: see kernel/fpu.h. */
struct fpu {
    void *area;   /* XSAVE or FXSAVE area of one page */
    uint32_t cpu; /* whose registers had it last; UINT32_MAX: none */
};

/* Loads the host's STAR, LSTAR, CSTAR, SFMASK and KERNEL_GS_BASE (the user's GS base, always 0).
   Done on the way to ring 3 when CPU_WORK_MSRS is set. */
void arch_load_syscall_msrs(void);

/* -- interrupts and time -- */

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}
static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
/* Interrupts on for a moment, so that pending ones are taken. */
static inline void arch_interrupt_window(void)
{
    __asm__ volatile("sti; nop; cli" ::: "memory");
}
void arch_idle(void); /* lets go of the lock, halts until an interrupt has come, takes the lock */

/* Interrupts another CPU, which then does what smp_call wants of it, and looks at its percpu.work. */
void arch_interrupt_cpu(struct percpu *cpu);

/* Starts the other CPUs, each of which enables itself and waits for the lock. Sets cpu_count. Once. */
void arch_start_cpus(void);

/* Programs the one-shot timer interrupt of this CPU; a time in the past means at once. */
void arch_timer_arm(uint64_t deadline_tsc);

/* Handles a host interrupt by its vector (device, timer), EOI included. From the interrupt entry,
   and by a VM exit that has acknowledged the interrupt (SDM vol. 3, 25.7.1 "acknowledge interrupt
   on exit"). */
void arch_dispatch_irq(unsigned vector);

/* Device interrupt lines. gsi: an ACPI global system interrupt. */
bool irq_line_exists(uint32_t gsi);
/* Routes gsi to this CPU, unmasked; irq_line_fired(gsi) is called on each arrival, before the EOI.
   flags: LEAT_IRQ_*. LEAT_OK, LEAT_ENOENT: no such line, LEAT_ENOMEM: no vector left. */
int irq_line_enable(uint32_t gsi, uint32_t flags);
void irq_line_disable(uint32_t gsi);
/* Of an enabled line: the firmware's word counts, not the driver's. */
bool irq_line_is_level(uint32_t gsi);
void irq_line_mask(uint32_t gsi);
void irq_line_unmask(uint32_t gsi);
void irq_line_fired(uint32_t gsi); /* implemented by kernel/irq.c */

/* -- ports -- */
uint32_t port_in(uint16_t port, unsigned width);
void port_out(uint16_t port, unsigned width, uint32_t value);

/* -- machine -- */
/* LEAT_SYS_MACHINE_MITIGATE, the machine handle being checked. */
int64_t arch_mitigate(uint64_t bits, uint64_t spec);
/* index, 0 if it is not below count: without a branch that speculation could run past */
static inline uint64_t arch_index(uint64_t index, uint64_t count)
{
    __asm__("cmp %1, %0; sbb %%rax, %%rax; and %%rax, %0" : "+r"(index) : "r"(count) : "rax", "cc");
    return index;
}
_Noreturn void arch_halt(void);                          /* all CPUs, for ever */
void arch_early_console(const char *text, size_t bytes); /* serial line and, on Bochs, port 0xE9 */

/* The arch's part of start-up, in this order; see main.c. */
struct leat_info;
void arch_early_init(void);                               /* serial line, exceptions */
void arch_init_tables(const struct leat_boot_info *info); /* own page tables, descriptors, percpu */
void arch_init_devices(const struct leat_boot_info *info, struct leat_info *out); /* APICs, time */

#endif
