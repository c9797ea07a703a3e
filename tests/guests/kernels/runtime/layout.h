/* SPDX-License-Identifier: BSD-2-Clause */
/* Selectors, addresses and vectors of the test kernels; for C, assembly and the linker script. */
#ifndef TESTS_GUESTS_KERNELS_RUNTIME_LAYOUT_H
#define TESTS_GUESTS_KERNELS_RUNTIME_LAYOUT_H

/* In the order that SYSCALL, SYSRET and SYSENTER want. */
#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_USER_CODE32 0x1b
#define SEL_USER_DATA 0x23
#define SEL_USER_CODE 0x2b
#define SEL_CODE32 0x30
#define SEL_CODE16 0x38
#define SEL_DATA16 0x40
#define SEL_TSS 0x48     /* 16 bytes */
#define SEL_SCRATCH 0x58 /* four descriptors for a test to fill */
#define SEL_LAST_SCRATCH 0x70
#define GDT_BYTES 0x78

#define LOW_CODE 0x6000 /* real-mode code is copied there; a page */
#define LOW_STACK 0x5ff0
#define LOW_TABLE 0x4000 /* a page directory of 32-bit paging */

#define USER_BASE 0x400000 /* the 2 MiB that ring 3 may touch */

#define VECTOR_DONE 0x81 /* INT of a piece of code that came to its end */
#define VECTOR_SPURIOUS 0xff

#define STACK_BYTES 16384
#define MAX_CPUS 16

#endif
