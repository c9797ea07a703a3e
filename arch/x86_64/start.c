// SPDX-License-Identifier: BSD-2-Clause
/* The other CPUs, which boot has parked (leat/bootinfo.h), and what each does before it waits for the lock. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/paging.h"
#include "kernel/arch.h"
#include "kernel/frame.h"
#include "kernel/info.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "kernel/virt.h"

#define TABLES_ORDER 2u
_Static_assert(CPU_TABLES_BYTES == LEAT_PAGE_SIZE << TABLES_ORDER, "a block of that order");

void cpu_entry(void); /* boot.S */
static void *starting_tables;
static uint64_t started_tsc;

_Noreturn void cpu_main(struct percpu *cpu);

static const char *lacks(void)
{
    struct cpu_features own = {0};
    cpu_detect(&own);
    if (__builtin_memcmp(&own, &cpu_features, sizeof(own)) != 0)
        return "the first CPU's features";
    return virt ? virt->enable_cpu() : NULL;
}

/* On the new CPU. Until it is online the one that starts it only waits, so the kernel is its own. */
_Noreturn void cpu_main(struct percpu *cpu)
{
    started_tsc = rdtsc();
    cpu_tables_init(cpu, starting_tables);
    cpu_enable();
    paging_load_kernel();
    write_cr4(read_cr4() | CR4_PGE);
    fpu_enable();
    apic_init_cpu();
    apic_timer_enable();
    cpu->core = cpu_core(cpu->apic_id);
    cpu->lacks = lacks();
    bool is_good = !cpu->lacks;
    __atomic_store_n(&cpu->is_online, true, __ATOMIC_RELEASE);
    if (!is_good)
        for (;;)
            __asm__ volatile("cli; hlt");
    kernel_lock();
    sched_idle();
}

static void start(struct leat_boot_slot *slot)
{
    struct percpu *cpu = &cpus[cpu_count];
    struct kernel_stack stack;
    hpa_t tables = frame_alloc(TABLES_ORDER, FRAME_ZERO);
    if (!tables.raw || !kernel_stack_alloc(&stack))
        panic("no memory to start CPU %u", cpu_count);
    *cpu = (struct percpu){.self = cpu, .index = cpu_count};
    starting_tables = phys_to_ptr(tables);
    slot->rsp = stack.top;
    slot->rdi = (uint64_t)cpu;
    slot->rsi = this_cpu()->loaded_root;
    uint64_t before = rdtsc();
    __atomic_store_n(&slot->entry_va, (uint64_t)cpu_entry, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&cpu->is_online, __ATOMIC_ACQUIRE))
        cpu_relax();
    if (cpu->lacks) {
        klog("the CPU with APIC id %u is not used: it lacks %s", cpu->apic_id, cpu->lacks);
        return;
    }
    if (started_tsc < before || started_tsc > rdtsc())
        panic("the TSCs of CPU 0 and of the one with APIC id %u differ: time would jump",
              cpu->apic_id);
    sched_init_cpu(cpu);
    cpu_count++;
}

void arch_start_cpus(void)
{
    struct leat_boot_parking *parking = phys_to_ptr(hpa(boot_info->parking_hpa));
    uint32_t told = boot_info->interrupts.cpu_count;
    this_cpu()->core = cpu_core(this_cpu()->apic_id);
    this_cpu()->is_online = true;
    for (uint32_t i = 0; boot_info->parking_hpa && i < parking->count && i < LEAT_BOOT_MAX_CPUS &&
                         cpu_count < MAX_CPUS;
         i++)
        start(&parking->cpus[i]);
    if (told > cpu_count)
        klog("%u of the machine's %u CPUs run", cpu_count, told);
    else
        klog("%u CPUs run", cpu_count);
}
