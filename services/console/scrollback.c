// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/scrollback.h"

#include <string.h>

void scrollback_init(struct scrollback *s, char *bytes, size_t size)
{
    *s = (struct scrollback){.bytes = bytes, .size = size};
}

void scrollback_add(struct scrollback *s, const char *bytes, size_t count)
{
    size_t at, first;

    if (count > s->size) {
        bytes += count - s->size;
        s->total += count - s->size;
        count = s->size;
    }
    at = (size_t)(s->total % s->size);
    first = count < s->size - at ? count : s->size - at;
    memcpy(s->bytes + at, bytes, first);
    memcpy(s->bytes, bytes + first, count - first);
    s->total += count;
}

struct scrollback_view scrollback_last(const struct scrollback *s, size_t most)
{
    struct scrollback_view view = {{NULL, NULL}, {0, 0}};
    uint64_t start = s->total > s->size ? s->total - s->size : 0;
    size_t at, count;

    if (s->total - start > most) {
        start = s->total - most;
    }
    if (start != 0) {
        uint64_t line = start;

        while (line < s->total && s->bytes[line % s->size] != '\n') {
            line++;
        }
        start = line < s->total ? line + 1 : start;
    }
    count = (size_t)(s->total - start);
    at = (size_t)(start % s->size);
    view.piece[0] = s->bytes + at;
    view.size[0] = count < s->size - at ? count : s->size - at;
    view.piece[1] = s->bytes;
    view.size[1] = count - view.size[0];
    return view;
}
