// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a terminal sends for the keys that have no character: ECMA-48 control sequences, as VT220, xterm and Linux
 * consoles send them. Bytes in, keys out. Portable.
 */
#ifndef CONSOLE_ANSI_H
#define CONSOLE_ANSI_H

#include <leat/types.h>

enum ansi_key {
    ANSI_NONE, /* a sequence is not complete yet, or means nothing here */
    ANSI_BYTE, /* the byte itself */
    ANSI_UP,
    ANSI_DOWN,
    ANSI_RIGHT,
    ANSI_LEFT,
    ANSI_HOME,
    ANSI_END,
    ANSI_PAGE_UP,
    ANSI_PAGE_DOWN,
};

struct ansi { /* zeroed: nothing has come */
    enum { ANSI_AT_TEXT, ANSI_AT_ESCAPE, ANSI_AT_CSI, ANSI_AT_SS3 } state;
    unsigned number; /* first parameter of the sequence */
    bool is_past_first;
};

enum ansi_key ansi_feed(struct ansi *ansi, uint8_t byte);

#endif
