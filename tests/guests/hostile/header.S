/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What makes the file a bzImage (Documentation/arch/x86/boot.rst): a boot sector and one setup sector.
 * There is no real-mode code: a loader that uses the 64-bit entry never runs any.
 */
#include "tests/guests/hostile/layout.h"

    .section .setup, "a"
    .org 0x1f1
    .byte 1 /* setup_sects */
    .word 0
    .long hostile_paragraphs /* syssize */
    .org 0x1fe
    .word 0xaa55
    .org 0x200
    .byte 0xeb, header_end - . - 1 /* jump: says where the header ends */
    .ascii "HdrS"
    .word 0x20f /* version */
    .org 0x211
    .byte 1 /* loadflags: LOADED_HIGH */
    .org 0x214
    .long HOSTILE_BASE /* code32_start */
    .org 0x22c
    .long 0x7fffffff /* initrd_addr_max */
    .long 0x200000   /* kernel_alignment */
    .byte 0, 21      /* not relocatable; min_alignment */
    .word 1          /* xloadflags: XLF_KERNEL_64 */
    .long 255        /* cmdline_size */
    .org 0x258
    .quad HOSTILE_BASE /* pref_address */
    .long hostile_memory /* init_size */
    .long 0
header_end:
    .org 0x400
