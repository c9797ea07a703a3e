// SPDX-License-Identifier: BSD-2-Clause
/*
 * Console channels: two byte rings in shared memory. Of a process's log the console reads lines (ended
 * by '\n', UTF-8, at most 512 bytes) and puts time stamp and name before each; of a guest's console it
 * carries raw bytes both ways. A full ring makes a logging process drop the line and count it, and a
 * guest's UART wait (its THR stays full).
 */
#ifndef LEAT_CONSOLE_H
#define LEAT_CONSOLE_H

#include <leat/ring.h>

#define LEAT_CONSOLE_RING_BYTES 16384u /* each way: the rings' count, entry_size 1 */
#define LEAT_CONSOLE_STRIDE (LEAT_CONSOLE_RING_BYTES + LEAT_PAGE_SIZE)

struct leat_console_channel {
    _Alignas(64) uint8_t output[LEAT_CONSOLE_STRIDE]; /* struct leat_ring: process -> console */
    _Alignas(64) uint8_t input[LEAT_CONSOLE_STRIDE];  /* struct leat_ring: console -> process */
};

#endif
