// SPDX-License-Identifier: BSD-2-Clause
/*
 * A grid of characters that understands the little of ECMA-48 that Linux consoles send most: line
 * ends, backspace, tab, cursor movement, erasing and reverse video; and UTF-8. Colours and all else are skipped.
 * Portable.
 */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H

#include <leat/types.h>

#define TERMINAL_MAX_COLUMNS 256
#define TERMINAL_MAX_ROWS 128
#define TERMINAL_MAX_PARAMETERS 8
#define TERMINAL_REVERSE 0x8000u /* in a cell, beside a code point below that */

struct terminal {
    unsigned columns, rows;
    unsigned x, y; /* of the cursor; x == columns: at the end of a full line */
    enum { TERMINAL_TEXT, TERMINAL_ESCAPE, TERMINAL_CSI, TERMINAL_SKIP_ONE } state;
    unsigned parameter_count;
    unsigned parameters[TERMINAL_MAX_PARAMETERS];
    bool is_private;     /* CSI ? ... */
    uint16_t reverse;    /* 0 or TERMINAL_REVERSE: of what comes */
    uint32_t code;       /* of the UTF-8 sequence that has begun */
    unsigned code_needs; /* bytes of it */
    unsigned first;      /* of cells[]: where row 0 is; the others follow, round the end */
    uint16_t cells[TERMINAL_MAX_ROWS][TERMINAL_MAX_COLUMNS];
};

/* Sizes are cut to the largest that fit. */
void terminal_init(struct terminal *t, unsigned columns, unsigned rows);
void terminal_write(struct terminal *t, const char *bytes, size_t count);

/* The cells of row y < rows. */
const uint16_t *terminal_row(const struct terminal *t, unsigned y);

#endif
