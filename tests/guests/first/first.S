/* SPDX-License-Identifier: BSD-2-Clause */
/* See README.md. Position-independent by calculation: first_start lies at FIRST_BASE in the guest. */
#include "tests/guests/first/first.h"

#define AT(label) ((label) - first_start + FIRST_BASE)

    .section .rodata.first, "a"
    .balign 16
    .globl first_start, first_end, first_handler, first_handler_error, first_irq, first_nmi
first_start:
    .code16
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov $1, %eax
    cpuid /* also in real mode */
    lgdtl AT(gdt_pointer)
    lidtl AT(idt_pointer)
    mov %cr4, %eax
    or $0x6a0, %eax /* PAE, MCE (the host's), PGE, OSFXSR, OSXMMEXCPT */
    or $0x40, %eax
    mov %eax, %cr4
    mov $FIRST_PML4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x901, %eax /* SCE, LME, NXE */
    wrmsr
    mov %cr0, %eax
    cmp $0x60000010, %eax /* as at reset: CD and NW are seen, though the host does not grant them */
    jne 1f
    and $~0x20000000, %eax
    or $0x80000021, %eax
    mov %eax, %cr0 /* paging, protection, NE, and CD still set: exits, and is done again */
    ljmpl $8, $AT(long_mode)
1:  hlt
    .balign 4
gdt_pointer:
    .word 0x3f
    .long FIRST_GDT
idt_pointer:
    .word 0xfff
    .long FIRST_IDT

    .code64
    .macro report which /* EAX */
    mov $((\which) << 16 | PORT_REPORT), %edx
    out %eax, %dx
    .endm
    .macro check which, condition
    mov $0, %eax
    set\condition %al
    report REPORT_CHECK + \which
    .endm
    .macro timed_begin
    mov $FIRST_ROUNDS, %r15d
    rdtsc
    mov %eax, %r14d
1:
    .endm
    .macro timed_end which
    dec %r15d
    jnz 1b
    rdtsc
    sub %r14d, %eax
    report \which
    .endm
    .macro order what
    mov $PORT_ORDER, %edx
    mov $\what, %al
    out %al, %dx
    .endm

long_mode:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $FIRST_STACK, %esp
    mov %cr0, %rax
    cmp $0xc0000031, %eax
    check 0, e
    mov %cr0, %rax
    and $~0x40000000, %eax
    mov %rax, %cr0
    mov %cr0, %rax
    cmp $0x80000031, %eax
    check 1, e

    /* -- times -- */
    timed_begin
    timed_end REPORT_BASE
    timed_begin
    xor %eax, %eax
    cpuid
    timed_end REPORT_CPUID
    timed_begin
    mov $PORT_NOTHING, %edx
    out %al, %dx
    timed_end REPORT_OUT
    mov $FIRST_MMIO, %ebx
    timed_begin
    mov %eax, (%rbx)
    timed_end REPORT_MMIO_WRITE
    timed_begin
    mov (%rbx), %eax
    timed_end REPORT_MMIO_READ
    timed_begin
    mov $PORT_DOORBELL, %edx
    out %al, %dx
    timed_end REPORT_DOORBELL
    cmpb $0, FIRST_AMD
    jne 2f
    timed_begin
    vmcall
    timed_end REPORT_VMCALL
    jmp 3f
2:  timed_begin
    vmmcall
    timed_end REPORT_VMCALL
3:
    timed_begin
    mov $0x1234, %ecx
    rdmsr
    timed_end REPORT_MSR
    mov $0x1234, %ecx
    rdmsr
    cmp $0x1234, %eax
    check 2, e
    /* wake-ups: interrupts stay off but for HLT */
    xor %r13d, %r13d
    timed_begin
    mov $PORT_WAKER, %edx
    out %al, %dx
    sti
    hlt
    cli
    timed_end REPORT_WAKE
    cmp $FIRST_ROUNDS, %r13d
    check 3, e
    xor %r13d, %r13d
    rdtsc
    mov %eax, %r14d
    order ORDER_DEADLINE_IRQ
    sti
    hlt
    cli
    rdtsc
    sub %r14d, %eax
    report REPORT_DEADLINE_WAKE
    cmp $1, %r13d
    check 4, e

    /* -- interrupt window -- */
    xor %r13d, %r13d
    order ORDER_IRQ_LATER
    mov $1000, %ecx
1:  dec %ecx
    jnz 1b
    mov %r13d, %r12d /* nothing yet */
    sti
    nop
    nop
    cli
    lea (%r13, %r12, 2), %eax
    cmp $1, %eax
    check 5, e

    /* -- events of the vmm -- */
    xor %r11d, %r11d
    order ORDER_NMI
    cmp $2, %r11d /* a second one, ordered by the handler, came after the first was done */
    check 6, e
    xor %r10d, %r10d
    lea 1f(%rip), %r9
    order ORDER_GP
    ud2
1:  cmp $0x18, %r10d
    check 7, e

    /* -- faults that the kernel raises -- */
    lea 1f(%rip), %r9
    mov $-1, %r10d
    mov %cr4, %rax
    or $0x2000, %eax /* VMXE */
    mov %rax, %cr4
1:  test %r10d, %r10d
    check 8, e
    lea 1f(%rip), %r9
    mov $-1, %r10d
    mov %cr4, %rax
    or $0x40000, %eax /* OSXSAVE */
    mov %rax, %cr4
    mov $1, %eax
    xor %ecx, %ecx
    cpuid
    bt $27, %ecx
    check 9, c
    xor %ecx, %ecx
    xor %edx, %edx
    mov $3, %eax
    xsetbv
    xgetbv
    cmp $3, %eax
    check 10, e
    lea 1f(%rip), %r9
    mov $-1, %r10d
    mov $2, %eax
    xor %edx, %edx
    xor %ecx, %ecx
    xsetbv
1:  test %r10d, %r10d
    check 11, e
    mov $0x80000000, %eax /* a leaf of the table, then one that is not in it */
    cpuid
    cmp $0x80000008, %eax
    check 12, e
    mov $0x80000003, %eax
    cpuid
    or %ebx, %eax
    or %ecx, %eax
    or %edx, %eax
    check 13, z

    /* -- state that the vmm's process uses too -- */
    mov $0x5a5a5a5a, %eax
    movd %eax, %xmm7
    mov $0xc0000102, %ecx /* KERNEL_GS_BASE */
    mov $0x11223344, %eax
    mov $0xffff8000, %edx
    wrmsr
    mov $0xc0000082, %ecx /* LSTAR */
    wrmsr
    mov $0x77, %eax
    mov %rax, %cr2
    mov $0x4321, %eax
    mov %rax, %dr1
    mov $PORT_NOTHING, %edx
    out %al, %dx
    order ORDER_SYNC
    movd %xmm7, %eax
    cmp $0x5a5a5a5a, %eax
    check 14, e
    mov $0xc0000102, %ecx
    rdmsr
    cmp $0x11223344, %eax
    check 15, e
    mov $0xc0000082, %ecx
    rdmsr
    cmp $0xffff8000, %edx
    check 16, e
    mov %cr2, %rax
    cmp $0x77, %eax
    check 17, e
    mov %dr1, %rax
    cmp $0x4321, %eax
    check 18, e
    lea 1f(%rip), %r9
    mov $-1, %r10d
    mov $0xc0000082, %ecx
    mov $0x00800000, %edx /* not canonical */
    wrmsr
1:  test %r10d, %r10d
    check 19, e
    swapgs
    mov $0xc0000101, %ecx /* GS_BASE */
    rdmsr
    swapgs
    cmp $0x11223344, %eax
    check 20, e

    /* -- debug exceptions: a breakpoint on the instruction at 1, single-stepping -- */
    lea 1f(%rip), %rax
    mov %rax, %dr0
    mov $0x402, %eax
    mov %rax, %dr7
    lea 2f(%rip), %r9
    mov $-1, %r10d
1:  nop
2:  mov $0x400, %eax
    mov %rax, %dr7
    mov %dr6, %rax
    and $0xf, %eax
    cmp $1, %eax
    check 21, e
    mov $0xffff0ff0, %eax
    mov %rax, %dr6
    lea 1f(%rip), %r9
    xor %eax, %eax
    pushf
    orl $0x100, (%rsp)
    popf
    cpuid /* the trap comes right behind it, though the kernel has done it */
1:  mov %dr6, %rax
    bt $14, %eax
    check 22, c

    /* -- memory -- */
    movl $7, 0x300000
    order ORDER_UNMAP
    mov 0x300000, %eax
    cmp $7, %eax
    check 23, e
    mov $FIRST_ROM, %ebx
    mov (%rbx), %ecx
    mov %eax, (%rbx) /* an exit; the vmm drops it */
    cmp (%rbx), %ecx
    check 24, e

    /* -- out of endless loops -- */
    cmpb $0, FIRST_KEEP_IF
    je 2f
    sti
2:  order ORDER_DEADLINE
1:  jmp 1b
    sti /* here the host's interrupt ends guest mode by itself */
    order ORDER_KICK
1:  jmp 1b
    cli
    cmp %eax, %eax
    check 25, e

    /* -- refused by the CPU, or by the kernel; the vmm puts it right -- */
    order ORDER_BAD_RFLAGS
    order ORDER_BAD_CR4
    cmp %eax, %eax
    check 26, e
    lea 1f(%rip), %r9
    mov $-2, %r10d
    xor %ecx, %ecx
    xor %edx, %edx
    mov %rsp, %rax
    monitor
1:  cmp $-1, %r10d /* #UD by the vmm: no error code */
    check 27, e
    mov $5, %eax
    mov %rax, %cr8
    xor %eax, %eax
    mov %cr8, %rax
    cmp $5, %eax
    check 28, e
    mov $PORT_STOP, %edx
    out %al, %dx
    lidt zero(%rip) /* and the end: no handler for #UD, none for #DF */
    ud2
zero:
    .quad 0, 0

/* Exceptions: R10D = the error code, or -1; continue at R9. */
first_handler:
    push $-1
first_handler_error:
    pop %r10
    mov %r9, (%rsp)
    andl $~0x100, 16(%rsp)
    iretq

/* Vectors 0x40 and 0x41: count in R13. */
first_irq:
    inc %r13d
    iretq

/* Counts in R11; the first one orders another, which must not come before IRET. */
first_nmi:
    inc %r11d
    cmp $1, %r11d
    jne 1f
    push %rax
    push %rdx
    order ORDER_NMI
    cmp $1, %r11d
    je 2f
    mov $100, %r11d /* it came too early */
2:  pop %rdx
    pop %rax
1:  iretq
first_end:

    .section .note.GNU-stack, "", @progbits
