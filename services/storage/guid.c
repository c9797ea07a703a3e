// SPDX-License-Identifier: BSD-2-Clause
#include "services/storage/guid.h"

#include <string.h>

/* Which byte of the GUID stands at each place of the text. */
static const uint8_t order[GUID_BYTES] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

static bool has_dash_before(unsigned place)
{
    return place == 4 || place == 6 || place == 8 || place == 10;
}

void guid_text(const uint8_t guid[GUID_BYTES], char text[GUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned i = 0; i < GUID_BYTES; i++) {
        if (has_dash_before(i))
            *text++ = '-';
        *text++ = digits[guid[order[i]] >> 4];
        *text++ = digits[guid[order[i]] & 15];
    }
    *text = 0;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool guid_parse(const char *text, uint8_t guid[GUID_BYTES])
{
    if (strlen(text) != GUID_TEXT_BYTES - 1)
        return false;
    for (unsigned i = 0; i < GUID_BYTES; i++) {
        if (has_dash_before(i) && *text++ != '-')
            return false;
        int high = digit(text[0]), low = digit(text[1]);
        if (high < 0 || low < 0)
            return false;
        guid[order[i]] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return true;
}
