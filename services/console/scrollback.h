// SPDX-License-Identifier: BSD-2-Clause
/* The last bytes of a stream. Portable. */
#ifndef CONSOLE_SCROLLBACK_H
#define CONSOLE_SCROLLBACK_H

#include <leat/types.h>

struct scrollback {
    char *bytes; /* the owner's */
    size_t size;
    uint64_t total; /* ever added */
};

void scrollback_init(struct scrollback *s, char *bytes, size_t size);
void scrollback_add(struct scrollback *s, const char *bytes, size_t count);

/* The most recent `most` bytes at most, oldest first, in up to two pieces. A cut-off first line is
   left out when anything was lost. */
struct scrollback_view {
    const char *piece[2];
    size_t size[2];
};
struct scrollback_view scrollback_last(const struct scrollback *s, size_t most);

#endif
