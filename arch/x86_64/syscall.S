// SPDX-License-Identifier: BSD-2-Clause
/*
 * SYSCALL: RCX = return address, R11 = flags, interrupts off by SFMASK, still ring 3's stack.
 *
 * SYSRET faults in ring 0, on ring 3's stack, if RCX is not canonical (SDM vol. 2, SYSRET). Here RCX is always the address
 * behind a SYSCALL instruction, and none can be mapped at or above SPACE_MAX_VA, so it is canonical.
 */
#include "kernel/percpu.h"

    .text
    .balign 64
    .globl syscall_entry
syscall_entry:
    swapgs
    mov %rsp, %gs:PERCPU_USER_SP
    mov %gs:PERCPU_KERNEL_SP, %rsp /* 8 below a multiple of 16 */
    push %gs:PERCPU_USER_SP
    push %r11
    push %rcx
    push %r9
    push %r8
    push %r10
    push %rdx
    push %rsi
    push %rdi
    /* A number out of range becomes 0, which is LEAT_ENOSYS; without a branch that could be mispredicted. */
    cmp syscall_count(%rip), %rax
    sbb %rcx, %rcx
    and %rcx, %rax
    mov %rax, %rdi
    mov %rsp, %rsi
    call syscall_dispatch
1:  cmpl $0, %gs:PERCPU_WORK
    jne 2f
    movl $0, kernel_lock_word(%rip) /* kernel_unlock: from here on nothing but this CPU's own is touched */
    call mitigate_to_user
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r10
    pop %r8
    pop %r9
    pop %rcx
    pop %r11
    pop %rsp
    swapgs
    sysretq
2:  sub $8, %rsp
    push %rax
    call user_return_work
    pop %rax
    add $8, %rsp
    jmp 1b

    .section .note.GNU-stack, "", @progbits
