// SPDX-License-Identifier: BSD-2-Clause

    .text
/* void switch_stacks(uint64_t *save_sp, uint64_t load_sp) */
    .globl switch_stacks
switch_stacks:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/* size_t user_copy(void *to, const void *from, size_t bytes): bytes that were not copied. A fault at user_copy_insn
   continues at user_copy_fault, with RCX the rest. */
    .globl user_copy, user_copy_insn, user_copy_fault
user_copy:
    mov %rdx, %rcx
user_copy_insn:
    rep movsb
user_copy_fault:
    mov %rcx, %rax
    ret

    .section .note.GNU-stack, "", @progbits
