// SPDX-License-Identifier: BSD-2-Clause
/*
 * Cuts a byte stream that is not trusted into lines that are safe to show among others: no control
 * character but tab, no invalid UTF-8, no C1 control; a terminal's colour and cursor sequences
 * (ECMA-48 CSI) are left out, everything else of that kind becomes \xNN. Portable.
 */
#ifndef CONSOLE_LINE_H
#define CONSOLE_LINE_H

#include <leat/types.h>

#define LINE_BYTES 512 /* of one line; longer ones are split */

/* One line without its end; not terminated. */
typedef void (*line_fn)(void *context, const char *text, size_t length);

struct line_splitter {
    line_fn emit;
    void *context;
    enum { LINE_TEXT, LINE_ESCAPE, LINE_CSI } state;
    bool is_after_cr;
    unsigned csi_length;
    uint8_t utf8[4]; /* a sequence that is not complete yet */
    unsigned utf8_have, utf8_need;
    size_t length;
    char text[LINE_BYTES + 8];
};

void line_init(struct line_splitter *line, line_fn emit, void *context);
void line_feed(struct line_splitter *line, const char *bytes, size_t count);

/* Emits what has no line end yet; nothing if there is nothing. */
void line_flush(struct line_splitter *line);

/* Control characters and what is not ASCII become '?': for a terminated text to be shown as it is. */
void line_make_plain(char *text);

/* Is there a begun line? */
bool line_is_open(const struct line_splitter *line);

#endif
