// SPDX-License-Identifier: BSD-2-Clause
/*
 * Texts put together in memory of fixed size: lines, requests, JSON. What does not fit is cut off, nothing
 * follows a cut, and the buffer always ends in a NUL. Portable and without printf, because boot has none.
 */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *buffer;
    size_t size, used; /* bytes, the NUL not counted in used */
    bool is_cut;
};

/* size must be at least 1. */
void text_begin(struct text *text, char *buffer, size_t size);

/* Each returns its first argument, so that calls nest. */
struct text *text_put(struct text *text, const char *string);
struct text *text_put_bytes(struct text *text, const char *bytes, size_t count);
struct text *text_put_number(struct text *text, uint64_t number); /* decimal */

/* At most `most` bytes of the string, then "..." if there was more. Never cuts a UTF-8 sequence. */
struct text *text_put_some(struct text *text, const char *string, size_t most);

/* A string of JSON in its quotes (RFC 8259, section 7). Bytes from 0x80 on, which must be UTF-8, are passed on. */
struct text *text_put_json(struct text *text, const char *string);

/* Back to what was there when `used` was that, with room again. */
void text_back(struct text *text, size_t used);

#endif
