/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/smptest/hold.h"

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_KERNEL_GS_BASE 0xc0000102

    .text
    .globl hold_registers, hold_registers_end

    .macro each_vector insn, prefix, from
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    .ifc \from, memory
    \insn HOLD_VECTORS+32*\n(%rbx), %\prefix\n
    .else
    \insn %\prefix\n, HOLD_SCRATCH+32*\n(%rbx)
    .endif
    .endr
    .endm

    /* insn: mov or check, with each register and its place */
    .macro each_gpr insn
    .set place, HOLD_GPRS
    .irp register, r8, r9, r10, r11, r12, r13, r14, r15, rbp
    \insn place(%rbx), %\register
    .set place, place + 8
    .endr
    .endm

    .macro check at, register
    cmp \at, \register
    jne bad
    .endm

    .macro msr_load msr, at
    mov \at(%rbx), %eax
    mov \at+4(%rbx), %edx
    mov $\msr, %ecx
    wrmsr
    .endm

    .macro msr_check msr, at
    mov $\msr, %ecx
    rdmsr
    cmp \at(%rbx), %eax
    jne bad
    cmp \at+4(%rbx), %edx
    jne bad
    .endm

hold_registers:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rdi, %rbx
load:
    each_gpr mov
    fninit
    fldl HOLD_REAL(%rbx)
    ldmxcsr HOLD_MXCSR(%rbx)
    cmpl $0, HOLD_HAS_AVX(%rbx)
    je 1f
    each_vector vmovdqu, ymm, memory
    jmp 2f
1:  each_vector movdqu, xmm, memory
2:  cmpl $0, HOLD_IS_GUEST(%rbx)
    je again
    msr_load MSR_KERNEL_GS_BASE, HOLD_MSRS
    msr_load MSR_LSTAR, HOLD_MSRS+8
    msr_load MSR_STAR, HOLD_MSRS+16
    .irp n, 0, 1, 2, 3
    mov HOLD_DRS+8*\n(%rbx), %rax
    mov %rax, %dr\n
    .endr

again:
    mov HOLD_PROBE(%rbx), %rax
    test %rax, %rax
    jz 1f
    mov (%rax), %rax
    mov %rax, HOLD_SEEN(%rbx)
1:  each_gpr check
    fstl HOLD_REAL_SCRATCH(%rbx)
    mov HOLD_REAL(%rbx), %rax
    cmp HOLD_REAL_SCRATCH(%rbx), %rax
    jne bad
    stmxcsr HOLD_MXCSR_SCRATCH(%rbx)
    mov HOLD_MXCSR(%rbx), %eax
    cmp HOLD_MXCSR_SCRATCH(%rbx), %eax
    jne bad
    cmpl $0, HOLD_HAS_AVX(%rbx)
    je 1f
    each_vector vmovdqu, ymm, registers
    jmp 2f
1:  each_vector movdqu, xmm, registers
2:  lea HOLD_VECTORS(%rbx), %rsi
    lea HOLD_SCRATCH(%rbx), %rdi
    mov $64, %ecx
    repe cmpsq
    jne bad
    cmpl $0, HOLD_IS_GUEST(%rbx)
    je 3f
    msr_check MSR_KERNEL_GS_BASE, HOLD_MSRS
    msr_check MSR_LSTAR, HOLD_MSRS+8
    msr_check MSR_STAR, HOLD_MSRS+16
    .irp n, 0, 1, 2, 3
    mov %dr\n, %rax
    cmp HOLD_DRS+8*\n(%rbx), %rax
    jne bad
    .endr
3:  incq HOLD_COUNT(%rbx)
    cmpq $0, HOLD_STOP(%rbx)
    je again
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
bad:
    incq HOLD_BAD(%rbx)
    jmp load
hold_registers_end:

    .section .note.GNU-stack, "", @progbits
