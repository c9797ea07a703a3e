// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/frame.h"

#include <string.h>

static void put(struct frame *frame, const char *bytes, size_t count)
{
    memcpy(frame->bytes + frame->used, bytes, count);
    frame->used += count;
}

static unsigned bounded(unsigned value, unsigned most)
{
    return value < 1 ? 1 : value < most ? value : most;
}

void frame_begin(struct frame *frame, unsigned columns, unsigned rows)
{
    frame->columns = bounded(columns, FRAME_MOST_COLUMNS);
    frame->rows = bounded(rows, FRAME_MOST_ROWS);
    frame->lines = 0;
    frame->used = 0;
    put(frame, "\x1b[H", 3);
}

/* No line end behind the last row: it would scroll the page. */
void frame_line(struct frame *frame, const char *text)
{
    size_t length = strnlen(text, frame->columns);

    if (frame->lines == frame->rows) {
        return;
    }
    if (frame->lines++ != 0) {
        put(frame, "\r\n", 2);
    }
    put(frame, text, length);
    if (length < frame->columns) { /* a full row has nothing left to clear, but its last letter */
        put(frame, "\x1b[K", 3);
    }
}

void frame_end(struct frame *frame)
{
    if (frame->lines < frame->rows) {
        put(frame, "\r\n\x1b[J", 5);
    }
}
