// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "kernel/arch.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

/* Register offsets: SDM vol. 3, table 11-1; MSR of a register in x2APIC mode: 0x800 + offset / 16 */
enum { APIC_ID = 0x20, APIC_TPR = 0x80, APIC_EOI = 0xb0, APIC_SPURIOUS = 0xf0 };
enum { APIC_COMMAND = 0x300, APIC_DESTINATION = 0x310, APIC_LVT_TIMER = 0x320 };
enum { APIC_LVT_FIRST = 0x330, APIC_LVT_LAST = 0x370, APIC_TIMER_START = 0x380 };
enum { APIC_TIMER_NOW = 0x390, APIC_TIMER_DIVIDE = 0x3e0 };

enum { APIC_BASE_X2APIC = 1u << 10, APIC_BASE_ENABLE = 1u << 11, APIC_SOFTWARE_ENABLE = 1u << 8 };
enum { LVT_MASKED = 1u << 16, LVT_TSC_DEADLINE = 2u << 17, DIVIDE_BY_1 = 0xb };
enum { CALIBRATION_RUNS = 3u };
#define CALIBRATION_HZ 200u /* a run takes 5 ms */
#define COMMAND_PENDING (1u << 12)
#define COMMAND_NMI_TO_OTHERS (3u << 18 | 1u << 14 | 4u << 8)

/* The same on all CPUs. */
static volatile uint32_t *registers; /* NULL: x2APIC mode */
static bool apic_is_ready;
static uint64_t timer_ticks_per_tsc; /* 32.32; 0: TSC deadlines */

static uint32_t apic_read(unsigned offset)
{
    return registers ? registers[offset / 4] : (uint32_t)rdmsr(MSR_X2APIC + offset / 16);
}

static void apic_write(unsigned offset, uint32_t value)
{
    if (registers)
        registers[offset / 4] = value;
    else
        wrmsr(MSR_X2APIC + offset / 16, value);
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_send(uint32_t apic_id, uint32_t command)
{
    if (!registers) {
        /* WRMSR to an x2APIC register does not wait for earlier stores: SDM vol. 3, 11.12.3 */
        __asm__ volatile("mfence; lfence" ::: "memory");
        wrmsr(MSR_X2APIC + APIC_COMMAND / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    apic_write(APIC_DESTINATION, apic_id << 24);
    apic_write(APIC_COMMAND, command);
    while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
        cpu_relax();
}

void apic_stop_others(void)
{
    if (apic_is_ready)
        apic_send(0, COMMAND_NMI_TO_OTHERS);
}

void arch_interrupt_cpu(struct percpu *cpu)
{
    apic_send(cpu->apic_id, VECTOR_CPU);
}

void apic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;
    wrmsr(MSR_APIC_BASE, base);
    if (cpu_features.x2apic) /* two steps: SDM vol. 3, 11.12.5 */
        wrmsr(MSR_APIC_BASE, base |= APIC_BASE_X2APIC);
    uint64_t at = base & (arch_phys_end() - 1) & ~(LEAT_PAGE_SIZE - 1);
    /* Mapped, even if x2APIC mode, which firmware may have chosen, does not use it: so nobody else gets
       it. */
    volatile void *window = arch_map_mmio(hpa(at));
    if (!window)
        panic("cannot map the local APIC");
    registers = base & APIC_BASE_X2APIC ? NULL : window;
    this_cpu()->apic_id = registers ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
    for (unsigned lvt = APIC_LVT_FIRST; lvt <= APIC_LVT_LAST; lvt += 0x10)
        apic_write(lvt, LVT_MASKED);
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | VECTOR_SPURIOUS);
    apic_eoi(); /* what firmware may have left in service */
    apic_is_ready = true;
}

void apic_timer_calibrate(uint64_t tsc_hz)
{
    uint64_t shortest = UINT64_MAX;
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    for (unsigned run = 0; run < CALIBRATION_RUNS && !cpu_features.tsc_deadline; run++) {
        apic_write(APIC_TIMER_START, UINT32_MAX);
        uint64_t start = rdtsc(), counted, took;
        while (rdtsc() - start < tsc_hz / CALIBRATION_HZ)
            cpu_relax();
        counted = UINT32_MAX - apic_read(APIC_TIMER_NOW);
        took = rdtsc() - start;
        if (took < shortest) /* whatever disturbs a run makes it longer */
            timer_ticks_per_tsc = (counted << 32) / (shortest = took);
    }
    if (!cpu_features.tsc_deadline && !timer_ticks_per_tsc)
        panic("the APIC timer does not count");
    apic_timer_enable();
}

void apic_timer_enable(void)
{
    apic_write(APIC_TIMER_START, 0);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (timer_ticks_per_tsc ? 0 : LVT_TSC_DEADLINE));
    /* The mode must be set before the first deadline is written: SDM vol. 3, 11.5.4.1 */
    __asm__ volatile("mfence" ::: "memory");
}

void arch_timer_arm(uint64_t deadline_tsc)
{
    if (!timer_ticks_per_tsc) {
        wrmsr(MSR_TSC_DEADLINE, deadline_tsc ? deadline_tsc : 1); /* 0 would switch it off */
        return;
    }
    uint64_t now = rdtsc();
    uint64_t left = deadline_tsc > now ? deadline_tsc - now : 0;
    /* Too long a time for the counter: it comes early, and is set again. Rounded up, so that it does not
       come just before. */
    unsigned __int128 ticks = (((unsigned __int128)left * timer_ticks_per_tsc) >> 32) + 1;
    apic_write(APIC_TIMER_START, ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
}
