/* SPDX-License-Identifier: BSD-2-Clause */
/* The 64-bit entry at load address + 0x200 (RSI: boot parameters), and the entries of all 256 vectors. */
    .section .entry, "ax"
    .code64
    .org 0x200
    .globl hostile_entry
hostile_entry:
    cli
    lea stack_top(%rip), %rsp
    mov %rsi, %rbx
    lea hostile_bss(%rip), %rdi
    lea hostile_end(%rip), %rcx
    sub %rdi, %rcx
    xor %eax, %eax
    rep stosb
    lgdt gdt_pointer(%rip)
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    lea 1f(%rip), %rax
    push $0x10
    push %rax
    lretq
1:  mov %cr4, %rax
    or $0x600, %rax /* OSFXSR, OSXMMEXCPT */
    mov %rax, %cr4
    mov %rbx, %rdi
    call hostile_main
2:  cli
    hlt
    jmp 2b

    .balign 8
gdt:
    .quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 31
    .quad gdt

#include "tests/guests/common/vectors.inc"

trap_common:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    lea 72(%rsp), %rdi /* vector, error, rip, cs, rflags, rsp, ss */
    call trap_handle
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

    .bss
    .balign 16
    .skip 32768
stack_top:
    .section .note.GNU-stack, "", @progbits
