// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/keys.h"

enum { CTRL_BRACKET = 0x1d };

const char *const keys_help =
    "Ctrl-] then: 1-9 that VM, n next VM, l Leat's prompt, a everything, d disks, "
    "m the menu, ? this; "
    "Ctrl-] twice sends it to the guest";

struct key keys_feed(struct keys *keys, uint8_t byte)
{
    if (!keys->is_escaped) {
        keys->is_escaped = byte == CTRL_BRACKET;
        return (struct key){.kind = keys->is_escaped ? KEY_NONE : KEY_BYTE, .byte = byte};
    }
    keys->is_escaped = false;
    switch (byte) {
    case CTRL_BRACKET:
        return (struct key){.kind = KEY_BYTE, .byte = byte};
    case 'l':
    case 'L':
        return (struct key){.kind = KEY_LEAT};
    case 'a':
    case 'A':
        return (struct key){.kind = KEY_ALL};
    case 'd':
    case 'D':
        return (struct key){.kind = KEY_DISKS};
    case 'm':
    case 'M':
        return (struct key){.kind = KEY_FRONT};
    case 'n':
    case 'N':
        return (struct key){.kind = KEY_NEXT};
    case '?':
    case 'h':
        return (struct key){.kind = KEY_HELP};
    default:
        if (byte >= '1' && byte <= '9') {
            return (struct key){.kind = KEY_VM, .number = (unsigned)(byte - '0')};
        }
        return (struct key){.kind = KEY_NONE};
    }
}
