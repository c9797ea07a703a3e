/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that measures what its exits cost, without an operating system in between: a bare kernel that
 * any loader of Linux's 64-bit protocol starts. Every figure is a difference of the TSC; on a Bochs CPU
 * model whose TSC counts instructions, with one CPU, that is all that was executed for the round trip:
 * guest, ring 0 and ring 3. It prints "BENCH name minimum median mean count" lines on COM1.
 *
 * It is also the load and the neighbour of the tests about sharing CPUs: main.c lists what it does.
 */
#ifndef TESTS_GUESTS_BENCH_BENCH_H
#define TESTS_GUESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tests/guests/common/instructions.h"

#define ROUNDS 1000u /* of each measurement */
#define SETTLE_TICKS 3000000u
#define VECTOR_TIMER 0x40u
#define VECTOR_DISK 0x41u

/* console.c: one line, as format_text has it. */
void say(const char *format, ...);

/* measure.c: `overhead` is what an empty measurement takes; it is taken off. */
extern uint64_t ticks[ROUNDS];
void measure_init(void);
void report(const char *name, unsigned rounds);
uint64_t
middle(unsigned rounds); /* the median of the first so many ticks[], which are sorted by it */
/* "NAME tsc minimum median p90 p99 maximum count" */
void report_spread(const char *name, unsigned rounds);

/* entry.S counts every interrupt, whatever its vector. */
extern volatile uint32_t interrupt_count;

/* main.c: what follows KEY= on the command line (NULL: nothing does), the same as a decimal number. */
const char *option(const char *key);
uint64_t option_number(const char *key, uint64_t otherwise);
/* What follows in a text that begins so; NULL: it does not. */
const char *behind(const char *text, const char *with);

/* apic.c: this CPU's local APIC and interrupt table. Interrupts are off before and after a sleep. */
void interrupts_init(void);
void timer_arm(uint64_t deadline);
void timer_sleep(uint64_t ticks_long);
uint64_t ticks_per_ms(void); /* by the ACPI timer, in 20 ms of it */

/* cpus.c: starts CPUs 1 ... count - 1, each of which calls run(its number) with interrupts off, its
 * interrupt table and APIC usable. Returns when all have begun; says so and returns false if one has not. */
#define CPUS_MAX 16u
bool cpus_start(unsigned count, void (*run)(unsigned cpu));

/* load.c, attack.c, exits.c: none returns but the last. */
_Noreturn void load_run(const char *name);
_Noreturn void attack_run(const char *name);
void exits_bench(bool is_trace);

void disk_bench(bool is_trace);

static inline uint64_t now(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

#define MEASURE(name, statement)                                                                   \
    do {                                                                                           \
        for (unsigned round = 0; round < ROUNDS; round++) {                                        \
            uint64_t start = now();                                                                \
            statement;                                                                             \
            ticks[round] = now() - start;                                                          \
        }                                                                                          \
        report(name, ROUNDS);                                                                      \
    } while (0)

/* Until an interrupt beyond `before` has come. Interrupts are off before and after. */
static inline void halt_until(uint32_t before)
{
    while (interrupt_count == before)
        __asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* Two of these around something let tools/bench find it in Bochs' instruction trace. */
static inline void trace_mark(void)
{
    __asm__ volatile("xchg %%bx, %%bx" ::: "memory");
}

/* One round trip between two marks, when it is warm and the console has shown what was said. */
#define TRACE(name, statement)                                                                     \
    do {                                                                                           \
        say("TRACE %s", name);                                                                     \
        timer_sleep(SETTLE_TICKS);                                                                 \
        for (unsigned warm = 0; warm < 8; warm++)                                                  \
            statement;                                                                             \
        trace_mark();                                                                              \
        statement;                                                                                 \
        trace_mark();                                                                              \
    } while (0)

#endif
