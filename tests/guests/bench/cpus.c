/* SPDX-License-Identifier: BSD-2-Clause */
/* Further CPUs: SDM vol. 3, 9.4.4.1. Their way into long mode is trampoline.S. */
#include "tests/guests/bench/apic.h"
#include "tests/guests/bench/bench.h"

#define TRAMPOLINE 0x8000u /* nothing else is there: vmm/load */
#define STACK 16384u
#define PATIENCE_MS 1000u

extern const uint8_t trampoline_begin[], trampoline_end[];
/* For trampoline.S: a stack for each, and the next number to give. */
_Alignas(16) uint8_t cpu_stacks[CPUS_MAX][STACK];
volatile uint32_t cpu_next = 1;
void cpu_main(uint32_t cpu);

static void (*cpu_run)(unsigned cpu);
static volatile uint32_t begun;

void cpu_main(uint32_t cpu)
{
    interrupts_init();
    __atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
    cpu_run(cpu);
}

bool cpus_start(unsigned count, void (*run)(unsigned cpu))
{
    uint64_t patience = count > 1 ? PATIENCE_MS * ticks_per_ms() : 0;
    uint8_t *to = (uint8_t *)(uintptr_t)TRAMPOLINE;
    __asm__("" : "+r"(to)); /* the compiler knows no object there */
    for (long i = 0; i < trampoline_end - trampoline_begin; i++)
        to[i] = trampoline_begin[i];
    cpu_run = run;
    for (unsigned i = 1; i < count && i < CPUS_MAX; i++) {
        wrmsr(MSR_ICR, ICR_DESTINATION(i) | ICR_INIT);
        wrmsr(MSR_ICR, ICR_DESTINATION(i) | ICR_STARTUP | TRAMPOLINE >> 12);
        uint64_t start = now();
        while (begun < i) {
            if (now() - start > patience) {
                say("BENCH failed: CPU %u does not start", (uint64_t)i);
                return false;
            }
        }
    }
    return true;
}
