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

    .bss
    .balign 4096
    .skip 16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
