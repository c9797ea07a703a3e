// SPDX-License-Identifier: BSD-2-Clause
/* The other CPUs' start: INIT, SIPI, and what each does before it waits for the lock. */
#include "arch/x86_64/acpi.h"
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

/* SDM vol. 3, 11.6.1 and 9.4.4.1 */
#define COMMAND_INIT 0x4500u
#define COMMAND_SIPI 0x4600u
#define INIT_WAIT_NS 10000000u
#define SIPI_WAIT_NS 200000u
#define ONLINE_WAIT_NS 200000000u
#define LOW_END 0xa0000u
#define TABLES_ORDER 2u

_Static_assert(CPU_TABLES_BYTES == LEAT_PAGE_SIZE << TABLES_ORDER, "a block of that order");

extern const uint8_t cpu_start[], cpu_start_end[], cpu_start_root[], cpu_start_gdtr[],
    cpu_start_target[], cpu_start_gdt[], cpu_start_long[];

/* The CPU that is awaited, and what it needs; start.S takes the first two. */
struct percpu *cpu_starting;
uint64_t cpu_starting_stack;
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

static void wait_ns(uint64_t ns)
{
    for (uint64_t end = rdtsc() + clock_ticks(ns); rdtsc() < end;)
        cpu_relax();
}

/* Fills the page at `low` with the code; 0x1000 <= low < LOW_END. */
static bool prepare(uint64_t low)
{
    uint8_t *page = phys_to_ptr(hpa(low));
    uint64_t root = paging_start_root(hpa(low));
    __builtin_memcpy(page, cpu_start, (size_t)(cpu_start_end - cpu_start));
    uint32_t gdt = (uint32_t)(low + (uint64_t)(cpu_start_gdt - cpu_start)), root32 = (uint32_t)root;
    uint32_t target = (uint32_t)(low + (uint64_t)(cpu_start_long - cpu_start));
    __builtin_memcpy(page + (cpu_start_gdtr - cpu_start) + 2, &gdt, 4);
    __builtin_memcpy(page + (cpu_start_root - cpu_start), &root32, 4);
    __builtin_memcpy(page + (cpu_start_target - cpu_start), &target, 4);
    return root != 0;
}

static uint64_t find_low_page(void)
{
    for (uint32_t i = 0; i < boot_info->range_count; i++) {
        const struct leat_memory_range *r = &boot_info->ranges[i];
        uint64_t at = r->base_hpa ? r->base_hpa : LEAT_PAGE_SIZE;
        if ((r->type == LEAT_MEMORY_FREE || r->type == LEAT_MEMORY_BOOT) && at < LOW_END &&
            r->base_hpa + r->size >= at + LEAT_PAGE_SIZE)
            return at;
    }
    return 0;
}

/* false: nothing answers at that APIC id. */
static bool start(uint32_t apic_id, uint64_t low)
{
    struct percpu *cpu = &cpus[cpu_count];
    struct kernel_stack stack;
    hpa_t tables = frame_alloc(TABLES_ORDER, FRAME_ZERO);
    if (!tables.raw || !kernel_stack_alloc(&stack))
        panic("no memory to start CPU %u", cpu_count);
    *cpu = (struct percpu){.self = cpu, .index = cpu_count};
    starting_tables = phys_to_ptr(tables);
    cpu_starting_stack = stack.top;
    started_tsc = UINT64_MAX;
    __atomic_store_n(&cpu_starting, cpu, __ATOMIC_RELEASE);
    uint64_t before = rdtsc(), end = before + clock_ticks(ONLINE_WAIT_NS);
    apic_send(apic_id, COMMAND_SIPI | (uint32_t)(low >> 12));
    wait_ns(SIPI_WAIT_NS);
    if (__atomic_load_n(&cpu_starting, __ATOMIC_ACQUIRE))
        apic_send(apic_id, COMMAND_SIPI | (uint32_t)(low >> 12));
    /* Nobody has taken it: there is none. Taken: it will come. */
    while (rdtsc() < end && !__atomic_load_n(&cpu->is_online, __ATOMIC_ACQUIRE))
        cpu_relax();
    if (!cpu->is_online && __atomic_exchange_n(&cpu_starting, NULL, __ATOMIC_ACQ_REL)) {
        frame_free(tables, TABLES_ORDER);
        kernel_stack_free(&stack);
        return false;
    }
    while (!__atomic_load_n(&cpu->is_online, __ATOMIC_ACQUIRE))
        cpu_relax();
    if (!cpu->lacks && (started_tsc < before || started_tsc > rdtsc()))
        panic("the TSCs of CPU 0 and of the one with APIC id %u differ: time would jump", apic_id);
    if (cpu->lacks) {
        klog("the CPU with APIC id %u is not used: it lacks %s", apic_id, cpu->lacks);
        return true;
    }
    sched_init_cpu(cpu);
    cpu_count++;
    return true;
}

void arch_start_cpus(void)
{
    const struct acpi_madt *madt = &acpi.madt;
    uint64_t low = find_low_page();
    uint32_t self = this_cpu()->apic_id, told = acpi.has_madt ? madt->cpu_count : 0;
    this_cpu()->core = cpu_core(self);
    this_cpu()->is_online = true;
    if (told != 1 && low && prepare(low)) {
        uint32_t most = told && told < MAX_CPUS ? told : MAX_CPUS;
        for (uint32_t i = 0; i < most; i++)
            if ((told ? madt->apic_ids[i] : i) != self)
                apic_send(told ? madt->apic_ids[i] : i, COMMAND_INIT);
        wait_ns(INIT_WAIT_NS);
        for (uint32_t i = 0; i < most && cpu_count < MAX_CPUS; i++) {
            uint32_t id = told ? madt->apic_ids[i] : i;
            if (id == self || start(id, low))
                continue;
            if (!told) /* no table says who is there: ids are consecutive */
                break;
            klog("the CPU with APIC id %u does not start: it is not used", id);
        }
    }
    if (told > cpu_count)
        klog("%u of the machine's %u CPUs run", cpu_count, told);
    else
        klog("%u CPUs run", cpu_count);
}
