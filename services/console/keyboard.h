// SPDX-License-Identifier: BSD-2-Clause
/* The machine's PS/2 keyboard: types what a terminal on the serial line would send (drivers/input/keymap.h). */
#ifndef CONSOLE_KEYBOARD_H
#define CONSOLE_KEYBOARD_H

#include "lib/loop.h"

typedef void (*keyboard_type_fn)(const uint8_t *bytes, size_t count);

/* From the start block's "ports" and "irq"; without a controller nothing is typed, after one line in the log. */
void keyboard_init(struct leat_loop *loop, keyboard_type_fn type);

#endif
