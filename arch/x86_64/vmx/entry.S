// SPDX-License-Identifier: BSD-2-Clause
/*
 * bool vmx_enter(uint64_t gpr[16], bool is_launched): the way into the guest and back.
 *
 * The guest's general registers lie in gpr[] in the hardware's order; RSP's slot is unused here, the
 * VMCS holds it. HOST_RSP is &gpr[16], so that the exit path saves registers by pushing them into their
 * slots. The array is in memory that ring 3 maps: nothing of the host's may be pushed there. It is not,
 * because interrupts are off, and NMI, #MC and #DF have stacks of their own (IST).
 *
 * The host's stack pointer waits in the per-CPU block, which HOST_GS_BASE makes reachable again.
 * Returns true after a VM exit, false when the entry instruction itself failed.
 */
#include "kernel/percpu.h"

    .text
    .globl vmx_enter
    .type vmx_enter, @function
    .balign 16
vmx_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, %gs:PERCPU_VMX_HOST_RSP
    mov %rdi, %rsp
    test %sil, %sil
    pop %rax
    pop %rcx
    pop %rdx
    pop %rbx
    lea 8(%rsp), %rsp /* keeps the flags of the test */
    pop %rbp
    pop %rsi
    pop %rdi
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    jz 1f
    vmresume
    jmp 2f
1:  vmlaunch
2:  xor %eax, %eax
    jmp 3f

    .globl vmx_exit
    .balign 16
vmx_exit:
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rbp
    lea -8(%rsp), %rsp
    push %rbx
    push %rdx
    push %rcx
    push %rax
    mov $1, %eax
3:  mov %gs:PERCPU_VMX_HOST_RSP, %rsp
    call mitigate_exit
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size vmx_enter, . - vmx_enter

    .section .note.GNU-stack, "", @progbits
