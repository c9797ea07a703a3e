// SPDX-License-Identifier: BSD-2-Clause
/* The stack frame of exceptions and interrupts. */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#define TRAP_STUB_BYTES 16
#define TRAP_CS_BEFORE_SAVE 24 /* vector, error, RIP, CS */
#define TRAP_CS 144

/* Interrupt vectors. The 8259s are masked, but may raise spurious interrupts from 0x20 on: leat/bootinfo.h */
#define VECTOR_DEVICE_FIRST 0x30
#define VECTOR_DEVICE_LAST 0xef
#define VECTOR_TIMER 0xf0
#define VECTOR_CPU 0xf1    /* another CPU wants something: arch_interrupt_cpu */
#define VECTOR_POSTED 0xf2 /* the guest that runs here looks at its requests: vmx/apic.c */
#define VECTOR_SPURIOUS 0xff

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(offsetof(struct trap_frame, cs) == TRAP_CS, "trap.S knows it");

extern bool machine_has_stopped; /* an NMI says so to each CPU */

void trap_handler(struct trap_frame *frame);
void user_return_work(void); /* does what percpu.work says, until it is 0 */

#endif
#endif
