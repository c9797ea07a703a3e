/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/hostile/layout.h"
OUTPUT_FORMAT("elf64-x86-64")
ENTRY(hostile_entry)
SECTIONS
{
    .setup HOSTILE_BASE - 0x400 : { *(.setup) }
    .text HOSTILE_BASE : { *(.entry) *(.text*) }
    .rodata : { *(.rodata*) }
    .data : { *(.data*) . = ALIGN(16); hostile_file_end = .; }
    .bss : { hostile_bss = .; *(.bss*) *(COMMON) . = ALIGN(4096); hostile_end = .; }
    hostile_paragraphs = (hostile_file_end - HOSTILE_BASE + 15) / 16;
    hostile_memory = hostile_end - HOSTILE_BASE;
    /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) }
}
