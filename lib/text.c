// SPDX-License-Identifier: BSD-2-Clause
#include "lib/text.h"

#include <string.h>

void text_begin(struct text *text, char *buffer, size_t size)
{
    *text = (struct text){.buffer = buffer, .size = size};
    buffer[0] = '\0';
}

struct text *text_put_bytes(struct text *text, const char *bytes, size_t count)
{
    size_t room = text->size - 1 - text->used;
    if (count > room) { /* and after it there is none */
        count = room;
        text->is_cut = true;
    }
    memcpy(text->buffer + text->used, bytes, count);
    text->used += count;
    text->buffer[text->used] = '\0';
    return text;
}

struct text *text_put(struct text *text, const char *string)
{
    return text_put_bytes(text, string, strlen(string));
}

struct text *text_put_number(struct text *text, uint64_t number)
{
    char digits[20]; /* UINT64_MAX has 20 */
    size_t first = sizeof(digits);
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return text_put_bytes(text, digits + first, sizeof(digits) - first);
}

struct text *text_put_some(struct text *text, const char *string, size_t most)
{
    size_t length = strlen(string);
    if (length <= most)
        return text_put_bytes(text, string, length);
    while (most > 0 && ((unsigned char)string[most] & 0xc0) == 0x80)
        most--;
    return text_put(text_put_bytes(text, string, most), "...");
}

struct text *text_put_json(struct text *text, const char *string)
{
    static const char hex[] = "0123456789abcdef";
    text_put(text, "\"");
    for (; *string != '\0'; string++) {
        unsigned char c = (unsigned char)*string;
        const char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f)
            text_put_bytes(text, escaped, sizeof(escaped));
        else
            text_put_bytes(text, string, 1);
    }
    return text_put(text, "\"");
}

void text_back(struct text *text, size_t used)
{
    text->used = used;
    text->buffer[used] = '\0';
    text->is_cut = false;
}
