// SPDX-License-Identifier: BSD-2-Clause
/*
 * void svm_enter(uint64_t gpr[16], uint64_t vmcb, uint64_t host_vmcb): the way into the guest and back. The
 * addresses are physical. RAX and RSP are in the VMCB, the other registers in gpr[].
 *
 * With GIF clear no interrupt is taken, NMI included, though IF is set: it must be, for an interrupt
 * of the host to end guest mode (AMD APM vol. 2, 15.21.1). From VMLOAD to VMLOAD nothing may use GS, or fault:
 * FS, GS, TR, LDTR and the MSRs of SYSCALL are the guest's.
 */
    .text
    .globl svm_enter
    .type svm_enter, @function
    .balign 16
svm_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdx
    push %rdi
    clgi
    sti
    mov %rsi, %rax
    mov 8(%rdi), %rcx
    mov 16(%rdi), %rdx
    mov 24(%rdi), %rbx
    mov 40(%rdi), %rbp
    mov 48(%rdi), %rsi
    mov 64(%rdi), %r8
    mov 72(%rdi), %r9
    mov 80(%rdi), %r10
    mov 88(%rdi), %r11
    mov 96(%rdi), %r12
    mov 104(%rdi), %r13
    mov 112(%rdi), %r14
    mov 120(%rdi), %r15
    mov 56(%rdi), %rdi
    vmload %rax
    vmrun %rax
svm_exited:
    vmsave %rax
    xchg %rdi, (%rsp)
    mov %rcx, 8(%rdi)
    mov %rdx, 16(%rdi)
    mov %rbx, 24(%rdi)
    mov %rbp, 40(%rdi)
    mov %rsi, 48(%rdi)
    mov %r8, 64(%rdi)
    mov %r9, 72(%rdi)
    mov %r10, 80(%rdi)
    mov %r11, 88(%rdi)
    mov %r12, 96(%rdi)
    mov %r13, 104(%rdi)
    mov %r14, 112(%rdi)
    mov %r15, 120(%rdi)
    pop %rcx
    mov %rcx, 56(%rdi)
    pop %rax
    vmload %rax
    cli
    call mitigate_exit
    stgi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size svm_enter, . - svm_enter

/* #DB, from its stub. Bochs 3.0 takes a guest's single-step trap after VMRUN, in the host, when the stepped
   instruction has exited; no CPU does. GS is the guest's there. */
    .globl svm_trap_debug
svm_trap_debug:
    push %rax
    lea svm_exited(%rip), %rax
    cmp %rax, 24(%rsp)
    pop %rax
    jne trap_entry
    add $16, %rsp
    iretq

    .section .note.GNU-stack, "", @progbits
