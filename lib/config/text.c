// SPDX-License-Identifier: BSD-2-Clause
#include "lib/config/text.h"

#include <string.h>

void text_begin(struct text *text, char *buffer, size_t size)
{
    text->buffer = buffer;
    text->size = size;
    text->used = 0;
    buffer[0] = '\0';
}

static void put_bytes(struct text *text, const char *bytes, size_t count)
{
    size_t room = text->size - 1 - text->used;
    if (count > room)
        count = room;
    memcpy(text->buffer + text->used, bytes, count);
    text->used += count;
    text->buffer[text->used] = '\0';
}

struct text *text_put(struct text *text, const char *string)
{
    put_bytes(text, string, strlen(string));
    return text;
}

struct text *text_put_number(struct text *text, uint64_t number)
{
    char digits[20]; /* UINT64_MAX has 20 */
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    put_bytes(text, digits + first, sizeof(digits) - first);
    return text;
}

struct text *text_put_some(struct text *text, const char *string, size_t most)
{
    size_t length = strlen(string);
    if (length <= most) {
        put_bytes(text, string, length);
        return text;
    }
    while (most > 0 && ((unsigned char)string[most] & 0xc0) == 0x80)
        most--;
    put_bytes(text, string, most);
    return text_put(text, "...");
}
