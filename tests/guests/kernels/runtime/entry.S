/* SPDX-License-Identifier: BSD-2-Clause */
/* The multiboot header, the way from 32-bit protected mode to long mode, and that of an AP from real mode. */
#include "tests/guests/kernels/runtime/layout.h"

#define FLAGS 3 /* page-aligned modules, memory information */
#define EFER 0xc0000080
#define EFER_LME_BIT 8

    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)

    .text
    .code32
    .globl kernel_entry
kernel_entry:
    cli
    mov $boot_stack_top, %esp
    mov %eax, %ebp
    mov $kernel_bss, %edi
    mov $kernel_end, %ecx
    sub %edi, %ecx
    xor %eax, %eax
    rep stosb
    mov $page_directories, %edi /* 4 GiB one to one by pages of 2 MiB */
    mov $0x83, %eax
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 1b
    orb $4, page_directories + USER_BASE / 0x200000 * 8
    mov $page_directories + 7, %eax
    mov $4, %ecx
    mov $page_pointers, %edi
2:  mov %eax, (%edi)
    add $8, %edi
    add $4096, %eax
    loop 2b
    movl $page_pointers + 7, page_root
    call to_long_mode
    .code64
    mov %ebp, %edi
    mov %ebx, %esi
    call kernel_main
3:  cli
    hlt
    jmp 3b

/* Called in 32-bit mode without paging, returns in 64-bit mode; the stack keeps. Uses EAX, ECX, EDX. */
    .code32
    .globl to_long_mode
to_long_mode:
    lgdtl gdt_pointer
    mov %cr4, %eax
    or $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov long_root, %eax
    mov %eax, %cr3
    mov $EFER, %ecx
    rdmsr
    bts $EFER_LME_BIT, %eax
    wrmsr
    mov %cr0, %eax
    and $~0xe000000c, %eax /* PG, which comes last, CD, NW, TS, EM */
    or $0x23, %eax /* NE, MP, PE */
    bts $31, %eax
    mov %eax, %cr0
    ljmpl $SEL_CODE, $1f
    .code64
1:  mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov (%rsp), %eax /* a 32-bit return address */
    add $4, %rsp
    jmp *%rax

/* An AP's first code, copied to LOW_CODE: SIPI vector LOW_CODE >> 12. */
    .section .rodata
    .code16
    .globl ap_start, ap_start_end
ap_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    lgdtl LOW_CODE + (ap_gdt - ap_start)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $SEL_CODE32, $ap_start32
    .balign 8
ap_gdt:
    .word GDT_BYTES - 1
    .long gdt
ap_start_end:

    .text
    .code32
ap_start32:
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $1, %edi
    lock xaddl %edi, ap_count /* EDI: which AP this is */
    cmp $MAX_CPUS - 1, %edi
    jae 2f
    mov %edi, %esp
    shl $14, %esp
    add $ap_stacks + STACK_BYTES, %esp
    call to_long_mode
    .code64
    lidt idt_pointer(%rip)
    inc %edi /* the BSP is 0 */
    call ap_main
2:  cli
    hlt
    jmp 2b

    .data
    .balign 8
    .globl gdt, gdt_pointer, long_root
long_root: /* what to_long_mode loads into CR3 */
    .long page_root, 0
gdt:
    .quad 0
    .quad 0x00af9b000000ffff, 0x00cf93000000ffff /* ring 0: 64-bit code, data */
    .quad 0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff /* ring 3: 32-bit code, data, 64-bit code */
    .quad 0x00cf9b000000ffff /* ring 0: 32-bit code */
    .quad 0x00009b000000ffff, 0x000093000000ffff /* 16-bit code and data at 0 */
    .quad 0, 0 /* TSS: smp.c and trap.c fill it */
    .quad 0, 0, 0, 0
gdt_pointer:
    .word GDT_BYTES - 1
    .quad gdt

    .bss
    .balign 4096
    .globl page_root, page_pointers, page_directories, ap_count
page_root:
    .skip 4096
page_pointers:
    .skip 4096
page_directories:
    .skip 4 * 4096
    .skip STACK_BYTES
boot_stack_top:
ap_stacks:
    .skip STACK_BYTES * (MAX_CPUS - 1)
ap_count:
    .skip 4
    .section .note.GNU-stack, "", @progbits
