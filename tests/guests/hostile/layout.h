/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the hostile kernel lies in its guest. Shared by C, assembly and the linker script. */
#ifndef TESTS_GUESTS_HOSTILE_LAYOUT_H
#define TESTS_GUESTS_HOSTILE_LAYOUT_H

#define HOSTILE_BASE 0x1000000
#define PLAYGROUND 0x2000000 /* 4 MiB for queues and buffers that garbage may hit */
#define PLAYGROUND_BYTES 0x400000
#define WINDOW 0x8000000000 /* 2 MiB of linear addresses that reach any physical one */

#endif
