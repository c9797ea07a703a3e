// SPDX-License-Identifier: BSD-2-Clause
/* The first instruction of a ring-3 program: RDI = LEAT_START_VA, RSP = the top of a mapped stack. */
    .text
    .globl _start
    .type _start, @function
_start:
    xor %ebp, %ebp
    and $-16, %rsp
    call leat_crt_main
    ud2
    .size _start, . - _start
    .section .note.GNU-stack, "", @progbits
