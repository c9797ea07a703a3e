/* SPDX-License-Identifier: BSD-2-Clause */
/* The code of modes.c that does not run in long mode. */
#include "tests/guests/kernels/runtime/layout.h"

#define EFER 0xc0000080
#define DIRECTORY 0x4000
#define TABLE 0x3000
#define POINTERS 0x2000
#define PAGE 0x500000   /* what the tests map elsewhere */
#define ELSEWHERE 0x2000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define CR4_LA57 0x1000

    .text
    .code64
    .globl low_call
low_call:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %edi, %ebx
    ljmp *to_low(%rip)
    .code32
1:  mov %cr0, %eax
    btr $31, %eax
    mov %eax, %cr0
    mov $EFER, %ecx
    rdmsr
    btr $8, %eax
    wrmsr
    mov %cr4, %eax
    and $~CR4_PAE, %eax
    mov %eax, %cr4
    lidtl idt32_pointer
    call *%ebx
    mov %eax, %ebx
    call to_long_mode
    .code64
    lidt idt_pointer(%rip)
    mov %ebx, %eax
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .data
to_low:
    .long 1b
    .word SEL_CODE32

    .text
    .code32
    .globl low_entries
    .balign 16
low_entries:
    .set vector, 0
    .rept 32
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push $0
    .endif
    push $vector
    jmp low_common
    .set vector, vector + 1
    .endr
    .balign 16
low_common:
    pop low_vector
    pop low_error
    mov (%esp), %eax
    mov %eax, low_eip
    mov %cr2, %eax
    mov %eax, low_cr2
    mov $SEL_DATA, %eax
    mov %eax, %ds
    mov low_esp, %esp
    jmp *low_resume

    .macro try code:vararg
    movl $9f, low_resume
    mov %esp, low_esp
    movl $-1, low_vector
    \code
9:
    .endm
    .macro expect step, vector, error=0
    mov $\step, %eax
    cmpl $\vector, low_vector
    jne low_failed
    .if \vector != -1
    cmpl $\error, low_error
    jne low_failed
    .endif
    .endm
    .macro equal step, value, wanted
    mov $\step, %eax
    cmpl \wanted, \value
    jne low_failed
    .endm
low_done:
    xor %eax, %eax
low_failed: /* EAX; paging off, as to_long_mode wants it */
    mov %cr0, %ecx
    btr $31, %ecx
    mov %ecx, %cr0
    mov %cr4, %ecx
    and $~(CR4_PSE | CR4_PAE), %ecx
    mov %ecx, %cr4
    ret

/* -- protected mode without paging -- */
    .globl low_protected
low_protected:
    try nop
    expect 1, -1
    mov %cr0, %ecx
    and $0x80000001, %ecx
    equal 2, %ecx, $1
    movl $0x12345678, PAGE
    equal 3, PAGE, $0x12345678
    try ud2
    expect 4, 6
    mov $1, %eax
    cpuid
    mov %edx, %ecx
    and $0x40, %ecx /* PAE */
    equal 5, %ecx, $0x40
    out %al, $0x80
    jmp low_done

    .globl low_segments
low_segments:
    xor %ecx, %ecx
    mov %ecx, %fs
    try mov %fs:0, %ecx
    expect 5, 13
    movl $0x12345678, PAGE
    movl $0x000000ff, gdt + SEL_SCRATCH /* at PAGE, 256 bytes, data */
    movl $0x00409350, gdt + SEL_SCRATCH + 4
    mov $SEL_SCRATCH, %ecx
    mov %ecx, %fs
    equal 6, %fs:0, $0x12345678
    movb $7, %fs:0xff
    try movb $7, %fs:0x100
    expect 7, 13
    try movl $7, %fs:0xfd
    expect 8, 13
    movl $0x00409150, gdt + SEL_SCRATCH + 4 /* read-only */
    mov %ecx, %fs
    try movb $7, %fs:0
    expect 9, 13
    movl $0x00401350, gdt + SEL_SCRATCH + 4 /* not present */
    try mov %ecx, %fs
    expect 10, 11, SEL_SCRATCH
    try int $0x30 /* beyond the IDT */
    expect 11, 13, 0x182
    mov %cr0, %ecx
    and $~1, %ecx
    or $0x80000000, %ecx
    try mov %ecx, %cr0 /* paging without protection */
    expect 12, 13
    mov $SEL_DATA, %ecx
    mov %ecx, %fs
    jmp low_done

/* -- two levels -- */
    .macro clear_tables
    xor %eax, %eax
    mov $POINTERS, %edi
    mov $0xc00, %ecx
    rep stosl
    .endm
    .globl low_paging
low_paging:
    clear_tables
    movl $0x87, DIRECTORY /* 8 MiB one to one by pages of 4 MiB */
    movl $0x400087, DIRECTORY + 4
    movl $TABLE + 7, DIRECTORY + (ELSEWHERE >> 22) * 4
    movl $PAGE + 3, TABLE
    mov %cr4, %ecx
    or $CR4_PSE, %ecx
    mov %ecx, %cr4
    mov $DIRECTORY, %ecx
    mov %ecx, %cr3
    mov %cr0, %ecx
    or $0x80010000, %ecx /* PG, WP */
    mov %ecx, %cr0
    movl $0x11223344, PAGE
    equal 1, ELSEWHERE, $0x11223344
    mov TABLE, %ecx
    and $0x60, %ecx
    equal 2, %ecx, $0x20 /* A, not D */
    movl $0x55667788, ELSEWHERE + 8
    equal 3, PAGE + 8, $0x55667788
    mov TABLE, %ecx
    and $0x60, %ecx
    equal 4, %ecx, $0x60
    try mov ELSEWHERE + 0x1000, %ecx
    expect 5, 14, 0
    equal 6, low_cr2, $ELSEWHERE + 0x1000
    movl $PAGE + 1, TABLE
    invlpg ELSEWHERE
    try movl $1, ELSEWHERE + 4
    expect 7, 14, 3
    equal 8, low_cr2, $ELSEWHERE + 4
    movl $0x1000000 + ELSEWHERE, %ecx
    try mov (%ecx), %edx /* no table at all */
    expect 9, 14, 0
    movl $PAGE + 0x1003, TABLE
    invlpg ELSEWHERE
    movl $0x99, PAGE + 0x1000
    equal 10, ELSEWHERE, $0x99
    xor %eax, %eax
    cpuid
    out %al, $0x80
    equal 11, ELSEWHERE, $0x99
    mov %cr4, %ecx
    xor $CR4_PGE, %ecx
    mov %ecx, %cr4
    xor $CR4_PGE, %ecx
    mov %ecx, %cr4
    equal 12, ELSEWHERE, $0x99
    mov %cr3, %ecx
    equal 13, %ecx, $DIRECTORY
    jmp low_done

/* -- three levels -- */
    .globl low_pae
low_pae:
    clear_tables
    movl $DIRECTORY + 1, POINTERS
    mov $0x87, %eax
    mov $4, %ecx
    mov $DIRECTORY, %edi
1:  mov %eax, (%edi) /* 8 MiB by pages of 2 MiB */
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    movl $TABLE + 7, DIRECTORY + (ELSEWHERE >> 21) * 8
    movl $PAGE + 3, TABLE
    mov %cr4, %ecx
    or $CR4_PAE, %ecx
    mov %ecx, %cr4
    mov $EFER, %ecx
    rdmsr
    or $0x800, %eax /* NXE */
    wrmsr
    mov $POINTERS, %ecx
    mov %ecx, %cr3
    mov %cr0, %ecx
    or $0x80010000, %ecx
    mov %ecx, %cr0
    movl $0x22334455, PAGE
    equal 1, ELSEWHERE, $0x22334455
    mov TABLE, %ecx
    and $0x60, %ecx
    equal 2, %ecx, $0x20
    movl $0x66778899, ELSEWHERE + 8
    equal 3, PAGE + 8, $0x66778899
    try mov ELSEWHERE + 0x1000, %ecx
    expect 4, 14, 0
    equal 5, low_cr2, $ELSEWHERE + 0x1000
    movl $PAGE + 1, TABLE
    invlpg ELSEWHERE
    try movl $1, ELSEWHERE
    expect 6, 14, 3
    movl $0x80000000, TABLE + 4 /* NX */
    movb $0xc3, PAGE
    invlpg ELSEWHERE
    mov $ELSEWHERE, %ecx
    try call *%ecx
    expect 7, 14, 0x11
    equal 8, low_cr2, $ELSEWHERE
    movl $0, TABLE + 4
    invlpg ELSEWHERE
    try call *%ecx
    expect 9, -1
    try mov 0x40000000, %ecx /* the second pointer is not there */
    expect 10, 14, 0
    movl $DIRECTORY + 1, POINTERS + 8 /* ... and comes by a load of CR3 only */
    mov %cr3, %ecx
    mov %ecx, %cr3
    equal 11, 0x40000000 + PAGE + 8, $0x66778899
    mov $EFER, %ecx
    rdmsr
    and $~0x800, %eax
    wrmsr
    jmp low_done

/* -- real mode: the code between real_start and real_end is copied to LOW_CODE -- */
    .globl low_real
low_real:
    mov %esp, low_esp
    ljmp $SEL_CODE16, $LOW_CODE + real_enter - real_start
low_real_back:
    mov $SEL_DATA, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    mov %ecx, %ss
    mov low_esp, %esp
    lidtl idt32_pointer
    movl $-1, low_vector
    test %eax, %eax
    jnz low_failed
    jmp low_done

    .section .rodata
    .code16
#define REAL(label) (LOW_CODE + (label) - real_start)
    .globl real_start, real_end, real_limits
real_start:
real_enter:
    mov $SEL_DATA16, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov %cr0, %eax
    and $~1, %al
    mov %eax, %cr0
    ljmp $0, $REAL(1f)
1:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $LOW_STACK, %sp
    lidtl REAL(real_idt)
    mov 13 * 4, %ebp /* the vectors of whoever was here before */
    mov 0x60 * 4, %edi
    movl $REAL(on_gp), 13 * 4
    movl $REAL(on_int), 0x60 * 4
    xor %bx, %bx
    mov $1, %si
    mov %cr0, %eax
    test $1, %al
    jnz real_failed
    mov $2, %si /* segments are 16 * selector */
    movl $0x5a5a1234, 0x7000
    mov $0x700, %ax
    mov %ax, %fs
    cmpl $0x5a5a1234, %fs:0
    jne real_failed
    mov $3, %si /* INT through the vector table */
    int $0x60
    cmp $1, %bl
    jne real_failed
    mov $4, %si /* instructions that exit */
    xor %eax, %eax
    push %ebx
    cpuid
    pop %ebx
    test %eax, %eax
    jz real_failed
    out %al, $0x80
    mov $7, %si /* strings, by REP with 16-bit registers */
    push %di
    mov $0x7100, %di
    mov $16, %cx
    mov $0xa5, %al
    cld
    rep stosb
    cmp $0x7110, %di
    pop %di
    jne real_failed
    cmpl $0xa5a5a5a5, 0x710c
    jne real_failed
    mov $8, %si /* beyond 1 MiB by a segment that protected mode has left behind */
    lgdtl REAL(real_gdt)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $SEL_DATA, %cx
    mov %cx, %gs
    and $~1, %al
    mov %eax, %cr0
    ljmp $0, $REAL(2f)
2:  addr32 movl $0x77665544, %gs:PAGE
    addr32 cmpl $0x77665544, %gs:PAGE
    jne real_failed
    xor %si, %si
    testb $1, REAL(real_limits)
    jz real_failed
    mov $5, %si /* a word at the segment's end */
    mov 0xffff, %ax
    cmp $1, %bh
    jne real_failed
    mov $6, %si
    mov 0xfffe, %ax /* fits */
    cmp $1, %bh
    jne real_failed
    xor %si, %si
real_failed:
    mov %ebp, 13 * 4
    mov %edi, 0x60 * 4
    lgdtl REAL(real_gdt)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    movzwl %si, %eax
    ljmpl $SEL_CODE32, $low_real_back
on_int:
    inc %bl
    iret
on_gp: /* over the instruction, of three bytes, that reads a word */
    inc %bh
    push %bp
    mov %sp, %bp
    addw $3, 2(%bp)
    pop %bp
    iret
real_limits: /* 1: try the segments' limits too */
    .byte 0
    .balign 8
real_idt:
    .word 0x3ff
    .long 0
    .balign 8
real_gdt:
    .word GDT_BYTES - 1
    .long gdt
real_end:

    .text
    .code32
    .globl low_task
low_task:
    try ljmp $SEL_SCRATCH, $0
    jmp low_done

    .globl low_la57_on, low_la57_off
low_la57_on:
    mov %cr4, %eax
    or $CR4_LA57, %eax
    mov %eax, %cr4
    ret
low_la57_off:
    mov %cr4, %eax
    and $~CR4_LA57, %eax
    mov %eax, %cr4
    ret

    .bss
    .balign 8
    .globl low_vector, low_error, low_cr2, low_eip
low_vector:
    .skip 4
low_error:
    .skip 4
low_cr2:
    .skip 4
low_eip:
    .skip 4
low_esp:
    .skip 4
low_resume:
    .skip 4
    .section .note.GNU-stack, "", @progbits
