/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header that makes the file a bzImage (Documentation/arch/x86/boot.rst), the 64-bit entry, and the
 * interrupt entries. The loader's page tables and descriptors (CS 0x10) stay in use.
 */
    .section .setup, "a"
    .org 0x1f1
    .byte 1 /* setup_sects */
    .word 0
    .long bench_paragraphs /* syssize */
    .org 0x1fe
    .word 0xaa55
    .org 0x200
    .byte 0xeb, header_end - . - 1 /* jump: says where the header ends */
    .ascii "HdrS"
    .word 0x20f /* version */
    .org 0x211
    .byte 1 /* loadflags: LOADED_HIGH */
    .org 0x214
    .long 0x1000000 /* code32_start */
    .org 0x22c
    .long 0x7fffffff /* initrd_addr_max */
    .long 0x200000   /* kernel_alignment */
    .byte 0, 21      /* not relocatable; min_alignment */
    .word 1          /* xloadflags: XLF_KERNEL_64 */
    .long 255        /* cmdline_size */
    .org 0x258
    .quad 0x1000000 /* pref_address */
    .long bench_memory /* init_size */
    .long 0
header_end:
    .org 0x400

    .section .entry, "ax"
    .org 0x200
    .globl bench_entry
bench_entry: /* RSI: boot parameters */
    rdtsc
    shl $32, %rdx
    or %rax, %rdx
    mov %rdx, %rbx
    cli
    lea stack_top(%rip), %rsp
    lea bench_bss(%rip), %rdi
    lea bench_end(%rip), %rcx
    sub %rdi, %rcx
    xor %eax, %eax
    rep stosb
    mov %rsi, %rdi
    mov %rbx, %rsi
    call bench_main
1:  cli
    hlt
    jmp 1b

    .text
/* Any interrupt: counted, and ended by the x2APIC's EOI register (SDM vol. 3, 11.12.1.2). */
    .globl interrupt_entry
interrupt_entry:
    push %rax
    push %rcx
    push %rdx
    lock incl interrupt_count(%rip)
    mov $0x80b, %ecx
    xor %eax, %eax
    xor %edx, %edx
    wrmsr
    pop %rdx
    pop %rcx
    pop %rax
    iretq

    .globl exception_entry
exception_entry:
    call bench_exception

    .bss
    .balign 16
    .skip 32768
stack_top:
    .section .note.GNU-stack, "", @progbits
