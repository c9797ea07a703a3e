// SPDX-License-Identifier: BSD-2-Clause
/*
 * First instructions of the other CPUs. park_code ... park_code_end is copied to a page below 1 MiB, where a CPU
 * begins in real mode (SDM vol. 3, 9.4.4); it goes to long mode at once, by setting PE and PG together, takes the
 * next slot of struct leat_boot_parking in the same page, and waits there for the kernel.
 */
#include "boot/park.h"

    .text
    .globl park_code, park_code_end, park_root, park_gdtr, park_target, park_gdt, park_long
    .balign 16
    .code16
park_code:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl park_gdtr - park_code
    mov $0x20, %eax                     // CR4: PAE
    mov %eax, %cr4
    mov park_root - park_code, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               // EFER: LME, NXE
    rdmsr
    or $0x900, %eax
    wrmsr
    mov $0x80000011, %eax               // CR0: PG, ET, PE
    mov %eax, %cr0
    ljmpl *(park_target - park_code)

    .code64
park_long:
    mov $1, %ecx
    lock xadd %ecx, park_code + PARKING_OFFSET(%rip)
    cmp $PARKING_SLOTS, %ecx
    jae 3f
    imul $PARKING_SLOT_BYTES, %ecx, %ecx
    lea park_code + PARKING_OFFSET + PARKING_FIRST(%rip), %rbx
    add %rcx, %rbx
1:  pause
    mov (%rbx), %rax                    // entry_va, stack, two arguments
    test %rax, %rax
    jz 1b
    mov 8(%rbx), %rsp
    mov 16(%rbx), %rdi
    mov 24(%rbx), %rsi
    xor %ebp, %ebp
    jmp *%rax
3:  hlt                                 // no place left
    jmp 3b

    .balign 8
park_gdt:
    .quad 0, 0x00af9b000000ffff
    .word 0
park_gdtr:
    .word 15
    .long 0                             // address of park_gdt in the copy
park_root:
    .long 0
park_target:
    .long 0                             // of park_long
    .word 8
park_code_end:

    .section .note.GNU-stack, "", @progbits
