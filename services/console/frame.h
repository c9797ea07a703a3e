// SPDX-License-Identifier: BSD-2-Clause
/*
 * A page of text that is drawn over the one before it, for terminals that know ECMA-48's CUP, EL and
 * ED. Lines that are too long or too many are cut off. Portable.
 */
#ifndef CONSOLE_FRAME_H
#define CONSOLE_FRAME_H

#include <leat/types.h>

#define FRAME_MOST_COLUMNS 200u
#define FRAME_MOST_ROWS 100u

struct frame {
    unsigned columns, rows; /* at most FRAME_MOST_... */
    unsigned lines;
    size_t used;
    char bytes[FRAME_MOST_ROWS * (FRAME_MOST_COLUMNS + 8) + 16]; /* not terminated */
};

/* Any size: it is put into its bounds. */
void frame_begin(struct frame *frame, unsigned columns, unsigned rows);
/* text: nothing but printable ASCII. */
void frame_line(struct frame *frame, const char *text);
/* What is below the last line is cleared; bytes[0 ... used - 1] are to be written. */
void frame_end(struct frame *frame);

#endif
