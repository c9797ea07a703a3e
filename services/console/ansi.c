// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/ansi.h"

enum { ESC = 0x1b };
#define NUMBER_MOST 99u

/* CUU, CUD, CUF, CUB of ECMA-48 8.3, as arrow keys send them; H and F are xterm's Home and End. */
static enum ansi_key key_of_final(uint8_t final)
{
    switch (final) {
    case 'A':
        return ANSI_UP;
    case 'B':
        return ANSI_DOWN;
    case 'C':
        return ANSI_RIGHT;
    case 'D':
        return ANSI_LEFT;
    case 'H':
        return ANSI_HOME;
    case 'F':
        return ANSI_END;
    default:
        return ANSI_NONE;
    }
}

/* CSI n ~: VT220 Programmer Reference, table 3-3; 1 and 4 on PC keyboards, 7 and 8 as rxvt sends them. */
static enum ansi_key key_of_number(unsigned number)
{
    switch (number) {
    case 1:
    case 7:
        return ANSI_HOME;
    case 4:
    case 8:
        return ANSI_END;
    case 5:
        return ANSI_PAGE_UP;
    case 6:
        return ANSI_PAGE_DOWN;
    default:
        return ANSI_NONE;
    }
}

static enum ansi_key feed_text(struct ansi *ansi, uint8_t byte)
{
    ansi->state = byte == ESC ? ANSI_AT_ESCAPE : ANSI_AT_TEXT;
    return byte == ESC ? ANSI_NONE : ANSI_BYTE;
}

/* The Escape key alone is seen as such by the next control character; with another it is that of an Alt key. */
static enum ansi_key feed_escape(struct ansi *ansi, uint8_t byte)
{
    if (byte < 0x20) {
        return feed_text(ansi, byte);
    }
    ansi->number = 0;
    ansi->is_past_first = false;
    ansi->state = byte == '[' ? ANSI_AT_CSI : byte == 'O' ? ANSI_AT_SS3 : ANSI_AT_TEXT;
    return ANSI_NONE;
}

static enum ansi_key feed_csi(struct ansi *ansi, uint8_t byte)
{
    if (byte < 0x20 || byte > 0x7e) {
        return feed_text(ansi, byte);
    }
    if (byte >= '0' && byte <= '9' && !ansi->is_past_first) {
        ansi->number = ansi->number * 10 + (unsigned)(byte - '0');
        ansi->number = ansi->number < NUMBER_MOST ? ansi->number : NUMBER_MOST;
    }
    ansi->is_past_first |= byte == ';';
    if (byte < 0x40) {
        return ANSI_NONE;
    }
    ansi->state = ANSI_AT_TEXT;
    return byte == '~' ? key_of_number(ansi->number) : key_of_final(byte);
}

enum ansi_key ansi_feed(struct ansi *ansi, uint8_t byte)
{
    switch (ansi->state) {
    case ANSI_AT_ESCAPE:
        return feed_escape(ansi, byte);
    case ANSI_AT_CSI:
        return feed_csi(ansi, byte);
    case ANSI_AT_SS3:
        if (byte < 0x20) {
            return feed_text(ansi, byte);
        }
        ansi->state = ANSI_AT_TEXT;
        return key_of_final(byte);
    default:
        return feed_text(ansi, byte);
    }
}
