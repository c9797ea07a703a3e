// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/content.h"

#include <string.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *text, uint8_t content[CONTENT_BYTES])
{
    for (unsigned i = 0; i < CONTENT_BYTES; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        content[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool content_parse(const char *text, uint8_t content[CONTENT_BYTES])
{
    size_t length = strlen(text);
    memset(content, 0, CONTENT_BYTES);
    if (length == 2 * CONTENT_BYTES)
        return parse_hex(text, content);
    if (length == 0 || length >= CONTENT_BYTES)
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    content[0] = CONTENT_TEXT;
    memcpy(content + 1, text, length);
    return true;
}
