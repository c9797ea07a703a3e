// SPDX-License-Identifier: BSD-2-Clause
/*
 * A PS/2 keyboard's bytes as keys: scan code sets 1 and 2 (IBM Personal System/2 Hardware Interface Technical Reference,
 * "Keyboards"). A key's code is that of set 1, with SCANCODE_E0 for those that come behind an E0. Any bytes are
 * taken; what is no key, or an answer of the keyboard, is left out. Portable.
 */
#ifndef DRIVERS_INPUT_SCANCODE_H
#define DRIVERS_INPUT_SCANCODE_H

#include <leat/types.h>

#define SCANCODE_E0 0x80u

struct scancode { /* zeroed but for set */
    unsigned set; /* 1 or 2 */
    bool is_e0, is_release;
    unsigned skip; /* bytes of Pause, which nobody needs */
};

enum scancode_kind {
    SCANCODE_NONE,
    SCANCODE_PRESS, /* repeated while the key is held */
    SCANCODE_RELEASE,
    SCANCODE_LOST, /* the keyboard has lost some: which keys are held is not known */
};

struct scancode_event {
    enum scancode_kind kind;
    uint8_t code;
};

struct scancode_event scancode_feed(struct scancode *s, uint8_t byte);

#endif
