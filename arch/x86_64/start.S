/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * First instructions of the other CPUs. cpu_start ... cpu_start_end is copied to a page below 1 MiB, where a CPU
 * begins in real mode (SDM vol. 3, 9.4.4); it goes to long mode at once, by setting PE and PG together.
 */
    .section .rodata
    .globl cpu_start, cpu_start_end, cpu_start_root, cpu_start_gdtr, cpu_start_target, cpu_start_gdt, cpu_start_long
    .balign 16
    .code16
cpu_start:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl cpu_start_gdtr - cpu_start
    mov $0x20, %eax /* CR4: PAE */
    mov %eax, %cr4
    mov cpu_start_root - cpu_start, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx /* EFER: LME, NXE */
    rdmsr
    or $0x900, %eax
    wrmsr
    mov $0x80000011, %eax /* CR0: PG, ET, PE */
    mov %eax, %cr0
    ljmpl *(cpu_start_target - cpu_start)

    .code64
cpu_start_long:
    movabs $cpu_start_64, %rax
    jmp *%rax

    .balign 8
cpu_start_gdt:
    .quad 0, 0x00af9b000000ffff
    .word 0
cpu_start_gdtr:
    .word 15
    .long 0 /* address of cpu_start_gdt in the copy */
cpu_start_root:
    .long 0
cpu_start_target:
    .long 0 /* of cpu_start_long */
    .word 8
cpu_start_end:

/* In the kernel's image, on page tables that have it. One CPU is awaited at a time; who comes late finds nobody waiting. */
    .text
    .globl cpu_start_64
cpu_start_64:
    xor %edi, %edi
    xchg %rdi, cpu_starting(%rip)
    test %rdi, %rdi
    jz 1f
    mov cpu_starting_stack(%rip), %rsp
    xor %ebp, %ebp
    call cpu_main
1:  cli
    hlt
    jmp 1b

    .section .note.GNU-stack, "", @progbits
