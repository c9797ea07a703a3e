/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A master boot record that starts a multiboot kernel without multiboot, for machines that have no loader of their own:
 * reads the kernel as it lies in memory, from sector 1 on, 32 KiB at a time by INT 13h function 42h, moves each piece to
 * 1 MiB and up by INT 15h function 87h, goes to 32-bit mode and jumps. test_block.py fills in count and entry.
 */
    .code16
    .text
    .globl _start
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $0x7c00, %sp
    sti
    mov %dl, drive
    mov $0x2401, %ax /* A20 on */
    int $0x15
1:  mov $packet, %si
    mov $0x42, %ah
    mov drive, %dl
    int $0x13
    jc failed
    mov $move_table, %si
    mov $PIECE / 2, %cx
    mov $0x87, %ah
    int $0x15
    jc failed
    addl $PIECE / 512, packet_lba
    addl $PIECE, target
    mov target, %eax /* the descriptor's base, in two parts; all is below 16 MiB */
    mov %ax, move_to + 2
    shr $16, %eax
    mov %al, move_to + 4
    decl pieces
    jnz 1b
    cli
    lgdt gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $8, $flat
failed:
    mov $0x0e46, %ax /* "F" */
    int $0x10
    hlt
    jmp failed

    .code32
flat:
    mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax /* no multiboot */
    jmp *entry

    .set PIECE, 0x8000
    .balign 8
packet:
    .byte 16, 0
    .word PIECE / 512
    .word 0, 0x1000 /* to 0x10000 */
packet_lba:
    .quad 1
move_table: /* the BIOS fills in the rest */
    .quad 0, 0
    .word 0xffff, 0
    .byte 1, 0x93
    .word 0
move_to:
    .word 0xffff, 0
    .byte 0x10, 0x93
    .word 0
    .quad 0, 0
target:
    .long 0x100000
gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
    .word . - gdt - 1
    .long gdt
drive:
    .byte 0
    .org 0x1b0
pieces:
    .long 0
entry:
    .long 0
    .org 0x1fe
    .word 0xaa55
    .section .note.GNU-stack, "", @progbits
