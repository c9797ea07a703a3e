// SPDX-License-Identifier: BSD-2-Clause
/* What stands on the console's terminal, for people to compare. */
#ifndef TESTS_UNIT_TERMINAL_TEXT_H
#define TESTS_UNIT_TERMINAL_TEXT_H

#include "services/console/terminal.h"

/* A row without the spaces at its end, '#' for what is not ASCII; until the next call. */
static inline const char *terminal_text(const struct terminal *t, unsigned y)
{
    static char text[TERMINAL_MAX_COLUMNS + 1];
    unsigned length = t->columns;

    for (unsigned x = 0; x < length; x++) {
        unsigned code = terminal_row(t, y)[x] & (TERMINAL_REVERSE - 1);

        text[x] = code < 0x80 ? (char)code : '#';
    }
    while (length != 0 && text[length - 1] == ' ') {
        length--;
    }
    text[length] = '\0';
    return text;
}

#endif
