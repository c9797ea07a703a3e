/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does what no guest may, for the isolation tests: it must harm nobody but itself. A
 * bare kernel that any loader of Linux's 64-bit protocol starts. It says on COM1 what it did, and
 * never trusts that it survives.
 */
#ifndef TESTS_GUESTS_HOSTILE_HOSTILE_H
#define TESTS_GUESTS_HOSTILE_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tests/guests/common/instructions.h"
#include "tests/guests/common/pci.h"
#include "tests/guests/hostile/layout.h"

/* console.c: one line, as format_text has it. */
void say(const char *format, ...);

/* trap.c. A trap inside a guarded instruction goes on at trap_resume, which the instruction's code
 * has set, and counts. */
extern uint64_t trap_resume;
extern unsigned trap_count;
void trap_init(void);

/* paging.c: own page tables: 4 GiB one to one, and the window. */
void paging_init(void);
volatile uint8_t *
paging_window(uint64_t physical); /* any physical address; valid until the next call */

/* Each prints one line or more and returns. round: a different flavour each time. */
void attack_memory(unsigned round);
void attack_ports(unsigned round);
void attack_msrs(unsigned round);
void attack_instructions(unsigned round);
void attack_pci(unsigned round);
void attack_virtio(unsigned round);

/* One guarded instruction; the trap, if there is one, is counted. */
#define GUARDED(instruction, ...)                                                                  \
    __asm__ volatile("lea 9f(%%rip), %%r11\n\tmov %%r11, trap_resume(%%rip)\n\t" instruction       \
                     "\n9:\tmovq $0, trap_resume(%%rip)" __VA_ARGS__)

static inline uint32_t random_next(void)
{
    static uint64_t state = 88172645463325252ull; /* xorshift64 */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

#endif
