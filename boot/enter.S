// SPDX-License-Identifier: BSD-2-Clause
// enter_kernel(page_root, stack_top, entry, info): the last instructions of boot. Interrupts are off.
// This code lies in memory that the new page tables map one to one.

#define IA32_EFER 0xc0000080            // SDM vol. 3, 2.2.1
#define EFER_NXE (1 << 11)
#define CR0_WP (1 << 16)
#define CR4_PGE (1 << 7)

    .text
    .global enter_kernel
    .type enter_kernel, @function
enter_kernel:
    mov %rcx, %r8                       // info: RDMSR needs RCX
    mov %rdx, %r9                       // entry: and RDX
    mov $0x80000001, %eax               // CPUID: EDX bit 20 says NX (SDM vol. 2, CPUID)
    cpuid
    bt $20, %edx
    jnc 1f
    mov $IA32_EFER, %ecx
    rdmsr
    or $EFER_NXE, %eax
    wrmsr
1:  mov %cr4, %rax                      // drop global translations of the firmware
    and $~CR4_PGE, %rax
    mov %rax, %cr4
    mov %rdi, %cr3
    mov %cr0, %rax
    or $CR0_WP, %rax
    mov %rax, %cr0
    mov %rsi, %rsp
    mov %r8, %rdi
    xor %ebp, %ebp
    cld
    push $0                             // no return address; RSP + 8 is a multiple of 16, as after a CALL
    jmp *%r9
    .section .note.GNU-stack, "", @progbits
