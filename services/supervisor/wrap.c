// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/wrap.h"

#include <stddef.h>

/* Where the line that begins at `text` is to end: a space, a line feed or the NUL. */
static char *end_of_line(char *text, unsigned columns)
{
    char *space = NULL;
    unsigned used = 0;

    for (; *text != 0 && *text != '\n'; text++) {
        if (*text == ' ') {
            space = text;
        }
        used += ((unsigned char)*text & 0xc0) != 0x80; /* RFC 3629: not a continuation byte */
        if (used > columns && space != NULL) {
            return space;
        }
    }
    return text;
}

unsigned wrap_text(char *text, unsigned columns, const char *lines[], unsigned most)
{
    unsigned count = 0;

    while (*text != 0 && count < most) {
        char *end = end_of_line(text, columns);

        lines[count++] = text;
        if (count == most || *end == 0) {
            break;
        }
        *end = 0;
        text = end + 1;
    }
    return count;
}
