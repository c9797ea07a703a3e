// SPDX-License-Identifier: BSD-2-Clause
/* Exceptions and interrupts: 256 stubs, and the two ways in and out. The frame is struct trap_frame of trap.h. */
#include "arch/x86_64/trap.h"
#include "kernel/percpu.h"

    .text

    .macro PUSH_REGISTERS
    push %rax; push %rbx; push %rcx; push %rdx; push %rbp; push %rsi; push %rdi
    push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15
    cld
    .endm

    .macro POP_REGISTERS
    pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8
    pop %rdi; pop %rsi; pop %rbp; pop %rdx; pop %rcx; pop %rbx; pop %rax
    add $16, %rsp /* vector, error */
    .endm

    /* Stub n lies at trap_stubs + n * TRAP_STUB_BYTES. */
    .balign TRAP_STUB_BYTES
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .balign TRAP_STUB_BYTES
    /* The CPU pushes an error code for these itself: SDM vol. 3, table 6-1. */
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    push $0
    .endif
    push $vector
    .if vector == 2 || vector == 8 || vector == 18
    jmp trap_paranoid
    .elseif vector == 1
    jmp svm_trap_debug
    .else
    jmp trap_entry
    .endif
    .set vector, vector + 1
    .endr

    .globl trap_entry
trap_entry:
    testb $3, TRAP_CS_BEFORE_SAVE(%rsp)
    jz 1f
    swapgs
    /* The gate leaves ring 3's AC flag as it is, and AC switches SMAP off. */
    push $2
    popfq
1:  PUSH_REGISTERS
    mov %rsp, %rdi
    call trap_handler
    testb $3, TRAP_CS(%rsp)
    jz 2f
    .globl trap_return_user
trap_return_user:
    cmpl $0, %gs:PERCPU_WORK
    jne 3f
    movl $0, kernel_lock_word(%rip) /* kernel_unlock */
    call mitigate_to_user
    POP_REGISTERS
    swapgs
    iretq
2:  POP_REGISTERS
    iretq
3:  call user_return_work
    jmp trap_return_user

/* NMI, double fault, machine check: on stacks of their own, and possibly between SWAPGS and the ring's change, where CS
   does not tell which GS base is loaded. The kernel's is negative. */
trap_paranoid:
    PUSH_REGISTERS
    xor %ebx, %ebx
    mov $0xc0000101, %ecx
    rdmsr
    test %edx, %edx
    js 1f
    swapgs
    inc %ebx
1:  mov %rsp, %rdi
    call trap_handler
    test %ebx, %ebx
    jz 2f
    swapgs
2:  POP_REGISTERS
    iretq

/* First instructions of a new thread; a trap_frame lies at RSP. */
    .globl thread_start
thread_start:
    call sched_first_run
    jmp trap_return_user

    .section .note.GNU-stack, "", @progbits
