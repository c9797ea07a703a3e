// SPDX-License-Identifier: BSD-2-Clause
#include "client/text.h"

#include <string.h>

void put_begin(struct client_text *text, char *bytes, size_t size)
{
    *text = (struct client_text){.bytes = bytes, .size = size};
    bytes[0] = 0;
}

void put_some(struct client_text *text, const char *what, size_t size)
{
    if (text->is_cut || size >= text->size - text->used) {
        text->is_cut = true;
        return;
    }
    memcpy(text->bytes + text->used, what, size);
    text->used += size;
    text->bytes[text->used] = 0;
}

void put_text(struct client_text *text, const char *what)
{
    put_some(text, what, strlen(what));
}

void put_number(struct client_text *text, uint64_t number)
{
    char digits[20]; /* of 2^64 - 1 */
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    put_some(text, digits + at, sizeof digits - at);
}

void put_json(struct client_text *text, const char *what)
{
    static const char hex[] = "0123456789abcdef";
    put_text(text, "\"");
    for (; *what; what++) {
        unsigned char c = (unsigned char)*what;
        const char escaped[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f)
            put_some(text, escaped, sizeof escaped);
        else
            put_some(text, what, 1);
    }
    put_text(text, "\"");
}
