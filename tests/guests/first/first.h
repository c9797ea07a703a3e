/* SPDX-License-Identifier: BSD-2-Clause */
/* What the first guest and the program that runs it (tests/system/vcputest) agree on. */
#ifndef TESTS_GUESTS_FIRST_H
#define TESTS_GUESTS_FIRST_H

#define FIRST_BASE 0x1000    /* guest-physical; the code starts there in real mode at 0100:0000 */
#define FIRST_AMD 0x5ff8     /* a byte: 1 on AMD-V, where a hypercall is VMMCALL */
#define FIRST_KEEP_IF 0x5ff0 /* a byte: 1 if loops without interrupts would never end */
#define FIRST_GDT 0x6000
#define FIRST_IDT 0x7000
#define FIRST_PML4 0x8000 /* PML4, PDPT, two page directories: the first 2 GiB one to one */
#define FIRST_STACK 0x40000
#define FIRST_RAM 0x400000 /* 4 MiB at 0 */
#define FIRST_ROM 0x800000 /* 2 MiB, read-only */
#define FIRST_MMIO 0x40000000
#define FIRST_ROUNDS 1000 /* of each timed loop */

/* Ports */
#define PORT_REPORT 0x500   /* OUT EAX: value; EDX >> 16: which, below */
#define PORT_NOTHING 0x501  /* an exit to ring 3 that does nothing */
#define PORT_DOORBELL 0x502 /* the device thread counts */
#define PORT_ORDER 0x503    /* OUT AL: what the vmm is to do, below */
#define PORT_WAKER 0x504    /* doorbell: the device thread has vector 0x41 injected */
#define PORT_STOP 0x505     /* all done */

/* Orders */
#define ORDER_DEADLINE_IRQ 1 /* deadline in 100,000 ticks, then vector 0x40 */
#define ORDER_IRQ_LATER 2    /* vector 0x40 as soon as possible, and say so */
#define ORDER_NMI 3
#define ORDER_GP 4         /* inject #GP(0x18) at the next instruction */
#define ORDER_DEADLINE 5   /* deadline in 100,000 ticks; guest loops; then RIP += 2 */
#define ORDER_KICK 6       /* the device thread kicks; guest loops; then RIP += 2 */
#define ORDER_UNMAP 7      /* unmap the page at 3 MiB; its next access is put right */
#define ORDER_BAD_RFLAGS 8 /* run with RFLAGS that the CPU refuses, then with good ones */
#define ORDER_BAD_CR4 9
#define ORDER_SYNC 10 /* check LSTAR and KERNEL_GS_BASE in the page */

/* Reports: times of FIRST_ROUNDS rounds, counts, values */
#define REPORT_BASE 1 /* empty loop */
#define REPORT_CPUID 2
#define REPORT_OUT 3
#define REPORT_MMIO_WRITE 4
#define REPORT_MMIO_READ 5
#define REPORT_DOORBELL 6
#define REPORT_WAKE 7 /* doorbell, thread, kick, injection, interrupt handler */
#define REPORT_DEADLINE_WAKE 8
#define REPORT_VMCALL 9
#define REPORT_MSR 10
#define REPORT_CHECK 32 /* from here on: checks; EAX is 1 when passed */

#endif
