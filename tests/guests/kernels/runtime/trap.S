/* SPDX-License-Identifier: BSD-2-Clause */
/* The entries of all 256 vectors, and run_enter: a piece of code that may trap, run in any ring and mode. */
#include "tests/guests/kernels/runtime/layout.h"

    .code64
#include "tests/guests/common/vectors.inc"

trap_common: /* the order is that of struct frame */
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    cld
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $~15, %rsp
    call trap_handle
    mov %rbp, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rbp
    pop %rbx
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    iretq

/* void run_enter(const struct run *run): whatever trap comes first ends it, at run_resume. */
    .globl run_enter, run_resume
run_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, run_stack(%rip)
    movl $1, run_active(%rip)
    mov 32(%rdi), %eax /* IRET to ring 3 would clear those of ring 0 */
    mov %eax, %ds
    mov %eax, %es
    push 32(%rdi) /* SS */
    push 24(%rdi) /* RSP */
    push 16(%rdi) /* RFLAGS */
    push 8(%rdi)  /* CS */
    push (%rdi)   /* RIP */
    mov 40(%rdi), %rax
    mov 48(%rdi), %rcx
    mov 56(%rdi), %rdx
    mov 64(%rdi), %rbx
    mov 72(%rdi), %rbp
    mov 80(%rdi), %rsi
    mov 88(%rdi), %rdi
    iretq
run_resume: /* with the stack as above and interrupts off: trap_handle */
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    cld
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .user, "awx"
    .globl run_done
run_done:
    int $VECTOR_DONE
    .section .note.GNU-stack, "", @progbits
