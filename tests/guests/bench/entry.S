/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a bzImage, the 64-bit entry, and the interrupt entries. The loader's page tables and descriptors
 * (CS 0x10) stay in use.
 */
#include "tests/guests/common/bzimage.inc"

    bzimage 0x1000000, bench_paragraphs, bench_memory

    .section .entry, "ax"
    .org 0x200
    .globl bench_entry
bench_entry: /* RSI: boot parameters */
    rdtsc
    shl $32, %rdx
    or %rax, %rdx
    mov %rdx, %rbx
    cli
    lea stack_top(%rip), %rsp
    lea bench_bss(%rip), %rdi
    lea bench_end(%rip), %rcx
    sub %rdi, %rcx
    xor %eax, %eax
    rep stosb
    mov %rsi, %rdi
    mov %rbx, %rsi
    call bench_main
1:  cli
    hlt
    jmp 1b

    .text
/* Any interrupt: counted, and ended by the x2APIC's EOI register (SDM vol. 3, 11.12.1.2). */
    .globl interrupt_entry
interrupt_entry:
    push %rax
    push %rcx
    push %rdx
    lock incl interrupt_count(%rip)
    mov $0x80b, %ecx
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
    pop %rdx
    pop %rcx
    pop %rax
    iretq

    .globl exception_entry
exception_entry:
    call bench_exception

    .bss
    .balign 16
    .skip 32768
stack_top:
    .section .note.GNU-stack, "", @progbits
