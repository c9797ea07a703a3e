// SPDX-License-Identifier: BSD-2-Clause
/*
 * The line that is typed at the prompt: printable ASCII, backspace, ^U and ^C clear it, up and down
 * bring back earlier ones. Portable.
 */
#ifndef CONSOLE_EDIT_H
#define CONSOLE_EDIT_H

#include "services/console/ansi.h"

#define EDIT_BYTES 128
#define EDIT_HISTORY 8

enum edit_result {
    EDIT_NOTHING, /* the byte changed nothing */
    EDIT_CHANGED, /* draw the line again */
    EDIT_ENTER,   /* edit.text is the finished line; call edit_clear when it is used */
};

struct edit {
    size_t length;
    char text[EDIT_BYTES]; /* terminated */
    struct ansi ansi;
    bool is_after_cr;
    unsigned history_count, history_at; /* at == count: the new line */
    char history[EDIT_HISTORY][EDIT_BYTES];
};

enum edit_result edit_feed(struct edit *edit, uint8_t byte);

/* Keeps the line in the history (unless empty or just there) and starts a new one. */
void edit_clear(struct edit *edit);

#endif
