// SPDX-License-Identifier: BSD-2-Clause
/*
 * Builds one line of text in a fixed buffer. What does not fit is cut off; the buffer always ends
 * in a NUL. Portable and without printf, because boot has none.
 */
#ifndef LIB_CONFIG_TEXT_H
#define LIB_CONFIG_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *buffer;
    size_t size, used; /* bytes, the NUL not counted in used */
};

/* size must be at least 1. */
void text_begin(struct text *text, char *buffer, size_t size);

/* Each returns its first argument, so that calls nest. */
struct text *text_put(struct text *text, const char *string);
struct text *text_put_number(struct text *text, uint64_t number); /* decimal */

/* At most `most` bytes of the string, then "..." if there was more. Never cuts a UTF-8 sequence. */
struct text *text_put_some(struct text *text, const char *string, size_t most);

#endif
