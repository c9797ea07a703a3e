// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keys as what a serial terminal would send for them: the US layout, control sequences as Linux consoles and xterm
 * have them (the F keys, Home and End as VT220). Portable.
 */
#ifndef DRIVERS_INPUT_KEYMAP_H
#define DRIVERS_INPUT_KEYMAP_H

#include "drivers/input/scancode.h"

#define KEYMAP_BYTES 8u

struct keymap {    /* zeroed: nothing is held, Num Lock is on */
    uint8_t shift; /* held: bit 0 left, bit 1 right; so the next two */
    uint8_t control, alt;
    bool is_caps, is_num_off;
};

/* The bytes that the event types, into out; how many, 0 to KEYMAP_BYTES. */
unsigned keymap_feed(struct keymap *map, struct scancode_event event, char out[KEYMAP_BYTES]);

#endif
