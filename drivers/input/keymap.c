// SPDX-License-Identifier: BSD-2-Clause
#include "drivers/input/keymap.h"

#include <string.h>

enum { ESC = 0x1b, DEL = 0x7f };
enum {
    KEY_LEFT_CONTROL = 0x1d,
    KEY_LEFT_SHIFT = 0x2a,
    KEY_RIGHT_SHIFT = 0x36,
    KEY_LEFT_ALT = 0x38,
    KEY_CAPS_LOCK = 0x3a,
    KEY_NUM_LOCK = 0x45,
    KEY_PAD_7 = 0x47,
    KEY_PAD_DOT = 0x53,
    KEY_RIGHT_CONTROL = SCANCODE_E0 | 0x1d,
    KEY_RIGHT_ALT = SCANCODE_E0 | 0x38,
};

/* By code, from 0 on: what stands on the US keyboard's keys, without and with Shift. */
static const char plain[0x3a] = "\0\x1b"
                                "1234567890-=\x7f\t"
                                "qwertyuiop[]\r\0"
                                "asdfghjkl;'`\0"
                                "\\zxcvbnm,./\0*\0 ";
static const char shifted[0x3a] = "\0\x1b"
                                  "!@#$%^&*()_+\x7f\t"
                                  "QWERTYUIOP{}\r\0"
                                  "ASDFGHJKL:\"~\0"
                                  "|ZXCVBNM<>?\0*\0 ";
/* From KEY_PAD_7 on. */
static const char pad[] = "789-456+1230.";

static const struct {
    uint8_t code; /* without SCANCODE_E0: the number pad's keys without Num Lock are the same */
    const char *bytes;
} sequences[] = {
    {0x48, "\x1b[A"},   {0x50, "\x1b[B"},   {0x4d, "\x1b[C"},   {0x4b, "\x1b[D"},
    {0x47, "\x1b[1~"},  {0x52, "\x1b[2~"},  {0x53, "\x1b[3~"},  {0x4f, "\x1b[4~"},
    {0x49, "\x1b[5~"},  {0x51, "\x1b[6~"},  {0x3b, "\x1bOP"},   {0x3c, "\x1bOQ"},
    {0x3d, "\x1bOR"},   {0x3e, "\x1bOS"},   {0x3f, "\x1b[15~"}, {0x40, "\x1b[17~"},
    {0x41, "\x1b[18~"}, {0x42, "\x1b[19~"}, {0x43, "\x1b[20~"}, {0x44, "\x1b[21~"},
    {0x57, "\x1b[23~"}, {0x58, "\x1b[24~"},
};

/* True: the key changes what others mean. */
static bool take_modifier(struct keymap *map, uint8_t code, bool is_pressed)
{
    uint8_t *held;
    uint8_t bit = 1;

    switch (code) {
    case KEY_RIGHT_SHIFT:
        bit = 2;
        __attribute__((fallthrough));
    case KEY_LEFT_SHIFT:
        held = &map->shift;
        break;
    case KEY_RIGHT_CONTROL:
        bit = 2;
        __attribute__((fallthrough));
    case KEY_LEFT_CONTROL:
        held = &map->control;
        break;
    case KEY_RIGHT_ALT:
        bit = 2;
        __attribute__((fallthrough));
    case KEY_LEFT_ALT:
        held = &map->alt;
        break;
    case KEY_CAPS_LOCK:
        map->is_caps ^= is_pressed;
        return true;
    case KEY_NUM_LOCK:
        map->is_num_off ^= is_pressed;
        return true;
    default:
        return false;
    }
    *held = is_pressed ? *held | bit : *held & (uint8_t)~bit;
    return true;
}

/* What the Control key makes of a character: ASCII's control characters stand 40h below their letters. */
static bool control_of(char character, char *out)
{
    if (character == ' ' || character == '2') {
        *out = 0;
    } else if (character == DEL) {
        *out = '\b';
    } else if (character == '/' || character == '-') {
        *out = 0x1f;
    } else if (character == '6') {
        *out = 0x1e;
    } else if ((character >= 'a' && character <= 'z') || (character >= '[' && character <= ']')) {
        *out = character & 0x1f;
    } else {
        return false;
    }
    return true;
}

/* The key's character; 0: it has none. */
static char character_of(const struct keymap *map, uint8_t code)
{
    bool is_letter;

    if (code == (SCANCODE_E0 | 0x1c)) {
        return '\r';
    }
    if (code == (SCANCODE_E0 | 0x35)) {
        return '/';
    }
    if (code >= KEY_PAD_7 && code <= KEY_PAD_DOT) {
        bool is_sign = code == KEY_PAD_7 + 3 || code == KEY_PAD_7 + 7;

        return map->is_num_off && !is_sign ? 0 : pad[code - KEY_PAD_7];
    }
    if (code == 0x56) { /* beside the left Shift, of keyboards with 102 keys */
        return map->shift != 0 ? '|' : '\\';
    }
    if (code >= sizeof(plain)) {
        return 0;
    }
    is_letter = plain[code] >= 'a' && plain[code] <= 'z';
    return (map->shift != 0) != (is_letter && map->is_caps) ? shifted[code] : plain[code];
}

static unsigned type_sequence(uint8_t code, char *out)
{
    bool is_e0 = (code & SCANCODE_E0) != 0;

    code &= (uint8_t)~SCANCODE_E0;
    for (unsigned i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        bool is_pad = code >= KEY_PAD_7 && code <= KEY_PAD_DOT;

        if (sequences[i].code == code && (is_pad || !is_e0)) {
            unsigned length = (unsigned)strlen(sequences[i].bytes);

            memcpy(out, sequences[i].bytes, length);
            return length;
        }
    }
    return 0;
}

static unsigned type(const struct keymap *map, uint8_t code, char *out)
{
    char character = character_of(map, code);
    unsigned count = 0;

    if (character == 0) {
        return type_sequence(code, out);
    }
    if (map->alt != 0) {
        out[count++] = ESC;
    }
    if (map->control != 0) {
        /* Of the key as it stands without Shift: Ctrl-Shift-A is Ctrl-A. */
        char key = code < sizeof(plain) ? plain[code] : character;

        if (!control_of(key, &character) && key >= ' ') {
            return 0;
        }
    }
    out[count++] = character;
    return count;
}

unsigned keymap_feed(struct keymap *map, struct scancode_event event, char out[KEYMAP_BYTES])
{
    if (event.kind == SCANCODE_LOST) {
        map->shift = map->control = map->alt = 0;
        return 0;
    }
    if (event.kind == SCANCODE_NONE ||
        take_modifier(map, event.code, event.kind == SCANCODE_PRESS) ||
        event.kind == SCANCODE_RELEASE) {
        return 0;
    }
    return type(map, event.code, out);
}
