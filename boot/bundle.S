// SPDX-License-Identifier: BSD-2-Clause
// The bundle that tools/mkbundle made, whole. LEAT_BUNDLE_PATH: its file, from the build.
    .section .rodata
    .balign 4096
    .global bundle_start, bundle_end
bundle_start:
    .incbin LEAT_BUNDLE_PATH
bundle_end:
    .section .note.GNU-stack, "", @progbits
