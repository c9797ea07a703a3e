/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours from hell: each takes what a guest can take of the CPU and of the hypervisor, for ever, on
 * cpus=N CPUs (default 1). do=attack-NAME; NAMEs are the rows of the table.
 */
#include "tests/guests/bench/apic.h"
#include "tests/guests/bench/disk.h"

#define POST_PORT 0x80
#define VECTOR_FLOOD 0x50u

static struct disk disk;

static void spin(unsigned cpu) /* interrupts off, not one exit of its own */
{
    (void)cpu;
    for (;;)
        __asm__ volatile("");
}

static void pause_loop(unsigned cpu)
{
    (void)cpu;
    for (;;)
        __asm__ volatile("pause");
}

static void cpuid_storm(unsigned cpu)
{
    for (;;) {
        uint32_t a = cpu, c = 0;
        __asm__ volatile("cpuid" : "+a"(a), "+c"(c)::"ebx", "edx");
    }
}

static void out_storm(unsigned cpu)
{
    for (;;)
        out8(POST_PORT, (uint8_t)cpu);
}

static void mmio_storm(unsigned cpu)
{
    for (;;)
        *(volatile uint32_t *)disk.common = cpu & 1;
}

static void doorbell_storm(unsigned cpu)
{
    (void)cpu;
    for (;;)
        disk_ring(&disk);
}

/* Requests as fast as they are answered: vdisk, a service, works for this guest all the time. */
static void read_storm(unsigned cpu)
{
    static _Alignas(4096) uint8_t block[4096];
    while (cpu) /* one driver */
        __asm__ volatile("hlt");
    for (;;) {
        uint32_t before = interrupt_count;
        disk_offer(0, DISK_READ, 0, block, sizeof(block));
        disk_ring(&disk);
        halt_until(before);
    }
}

/* An interrupt is due as soon as the last one has ended. */
static void timer_storm(unsigned cpu)
{
    (void)cpu;
    __asm__ volatile("sti");
    for (;;)
        timer_arm(1);
}

/* Each CPU interrupts its neighbour as fast as it can, and itself when there is none. */
static void ipi_flood(unsigned cpu)
{
    uint64_t to = option_number("cpus", 1) > 1 ? cpu ^ 1u : cpu;
    __asm__ volatile("sti");
    for (;;)
        wrmsr(MSR_ICR, ICR_DESTINATION(to) | ICR_FIXED | VECTOR_FLOOD);
}

static const struct {
    const char *name;
    void (*run)(unsigned cpu);
    bool needs_disk;
} attacks[] = {
    {"spin", spin, false},       {"pause", pause_loop, false},  {"cpuid", cpuid_storm, false},
    {"out", out_storm, false},   {"mmio", mmio_storm, true},    {"doorbell", doorbell_storm, true},
    {"reads", read_storm, true}, {"timer", timer_storm, false}, {"ipi", ipi_flood, false},
};

_Noreturn void attack_run(const char *name)
{
    for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (!behind(name, attacks[i].name))
            continue;
        if (attacks[i].needs_disk && !disk_start(&disk))
            break;
        say("ATTACK %s", attacks[i].name);
        if (cpus_start((unsigned)option_number("cpus", 1), attacks[i].run))
            attacks[i].run(0);
    }
    say("BENCH failed: no attack of that name, or it cannot begin");
    for (;;)
        __asm__ volatile("cli; hlt");
}
