/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A CPU's way from the start-up IPI into C: copied to 0x8000, entered in real mode at its begin. Page tables
 * are the loader's (0x70000, as vmm/load/long_mode.c lays them), which the first CPU uses too.
 */
#define TRAMPOLINE 0x8000
#define HERE(label) (TRAMPOLINE + (label) - trampoline_begin)
#define PAGE_TABLES 0x70000
#define STACK 16384

    .section .rodata
    .code16
    .globl trampoline_begin
trampoline_begin:
    cli
    xor %ax, %ax
    mov %ax, %ds
    lgdtl HERE(gdt_pointer)
    mov $0x20, %eax /* PAE */
    mov %eax, %cr4
    mov $PAGE_TABLES, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx /* EFER: long mode enabled */
    mov $0x100, %eax
    xor %edx, %edx
    wrmsr
    mov $0x80050033, %eax /* CR0 as the loader gives the first: PG, AM, WP, NE, ET, MP, PE */
    mov %eax, %cr0
    ljmpl $0x10, $HERE(long_mode)

    .code64
long_mode:
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $1, %edi
    lock xadd %edi, cpu_next
    mov %edi, %eax
    inc %eax
    imul $STACK, %eax, %eax
    lea cpu_stacks(%rax), %rsp
    mov $cpu_main, %eax
    call *%rax
1:  cli
    hlt
    jmp 1b

    .balign 8
gdt:
    .quad 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word 31
    .long HERE(gdt)
    .globl trampoline_end
trampoline_end:
    .section .note.GNU-stack, "", @progbits
