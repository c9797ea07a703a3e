// SPDX-License-Identifier: BSD-2-Clause
/* Entry from boot, see leat/bootinfo.h: leaves boot's stack at once, since its memory will be freed. */

    .text
    .globl kernel_entry
kernel_entry:
    cli
    cld
    rdtsc
    shl $32, %rdx
    or %rax, %rdx
    mov %rdx, %rsi
    lea boot_stack_top(%rip), %rsp
    xor %ebp, %ebp
    call kernel_main
1:  hlt
    jmp 1b

/* Of the other CPUs: RSP, RDI (their percpu) and RSI (the kernel's CR3) are set, the page tables still boot's, which know
   the image only. */
    .globl cpu_entry
cpu_entry:
    mov %rsi, %cr3
    call cpu_main

    .bss
    .balign 4096
    .skip 16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
