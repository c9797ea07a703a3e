// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/line.h"

#include <string.h>

enum { ESC = 0x1b, DEL = 0x7f };
#define CSI_MOST 32 /* longer ones are no real ones */

void line_init(struct line_splitter *line, line_fn emit, void *context)
{
    memset(line, 0, sizeof(*line));
    line->emit = emit;
    line->context = context;
}

static void end_line(struct line_splitter *line)
{
    line->emit(line->context, line->text, line->length);
    line->length = 0;
}

static void add(struct line_splitter *line, const void *bytes, size_t count)
{
    if (line->length + count > LINE_BYTES) {
        end_line(line);
    }
    memcpy(line->text + line->length, bytes, count);
    line->length += count;
}

static void add_escaped(struct line_splitter *line, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    char text[4] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};

    add(line, text, sizeof(text));
}

/* What was taken for a UTF-8 sequence is none: its bytes are shown one by one. */
static void drop_utf8(struct line_splitter *line)
{
    for (unsigned i = 0; i < line->utf8_have; i++) {
        add_escaped(line, line->utf8[i]);
    }
    line->utf8_have = 0;
    line->utf8_need = 0;
}

/* Unicode 15, table 3-7: overlong forms, surrogates and beyond 10FFFF show in the first two bytes.
   C1 controls are U+0080 to U+009F: C2 80 to C2 9F. */
static bool is_good_pair(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xc2:
        return second >= 0xa0 && second <= 0xbf;
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return second >= 0x80 && second <= 0xbf;
    }
}

static void begin_utf8(struct line_splitter *line, uint8_t byte)
{
    line->utf8_need = byte >= 0xc2 && byte <= 0xdf   ? 2
                      : byte >= 0xe0 && byte <= 0xef ? 3
                      : byte >= 0xf0 && byte <= 0xf4 ? 4
                                                     : 0;
    if (line->utf8_need == 0) {
        add_escaped(line, byte);
        return;
    }
    line->utf8[0] = byte;
    line->utf8_have = 1;
}

/* True: the byte belonged to a sequence that had begun. */
static bool continue_utf8(struct line_splitter *line, uint8_t byte)
{
    bool is_good =
        line->utf8_have == 1 ? is_good_pair(line->utf8[0], byte) : byte >= 0x80 && byte <= 0xbf;

    if (!is_good) {
        drop_utf8(line);
        return false;
    }
    line->utf8[line->utf8_have++] = byte;
    if (line->utf8_have == line->utf8_need) {
        add(line, line->utf8, line->utf8_have);
        line->utf8_have = 0;
        line->utf8_need = 0;
    }
    return true;
}

static void feed_text(struct line_splitter *line, uint8_t byte)
{
    /* A carriage return that no line feed follows would let later text cover the line's beginning:
       it ends the line. */
    if (line->is_after_cr && byte != '\n' && byte != '\r' && line->length != 0) {
        end_line(line);
    }
    line->is_after_cr = byte == '\r';
    if (byte == '\n') {
        end_line(line);
    } else if (byte == ESC) {
        line->state = LINE_ESCAPE;
    } else if (byte == '\r') {
        return;
    } else if (byte >= 0x80) {
        begin_utf8(line, byte);
    } else if (byte == '\t' || (byte >= 0x20 && byte != DEL)) {
        add(line, &byte, 1);
    } else if (byte != 0) {
        add_escaped(line, byte);
    }
}

static void feed(struct line_splitter *line, uint8_t byte)
{
    if (line->utf8_have != 0 && continue_utf8(line, byte)) {
        return;
    }
    switch (line->state) {
    case LINE_TEXT:
        feed_text(line, byte);
        break;
    case LINE_ESCAPE:
        line->state = LINE_TEXT;
        if (byte == '[') {
            line->state = LINE_CSI;
            line->csi_length = 0;
        } else {
            add_escaped(line, ESC);
            feed_text(line, byte);
        }
        break;
    case LINE_CSI:
        /* ECMA-48, 5.4: parameters and intermediates 20 to 3F, one final byte 40 to 7E. */
        if (byte >= 0x20 && byte <= 0x3f && ++line->csi_length < CSI_MOST) {
            break;
        }
        line->state = LINE_TEXT;
        if (byte < 0x40 || byte > 0x7e) {
            add_escaped(line, ESC);
            feed_text(line, byte);
        }
        break;
    }
}

void line_feed(struct line_splitter *line, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        feed(line, (uint8_t)bytes[i]);
    }
}

bool line_is_open(const struct line_splitter *line)
{
    return line->length != 0;
}

void line_flush(struct line_splitter *line)
{
    drop_utf8(line);
    if (line->length != 0) {
        end_line(line);
    }
}

void line_make_plain(char *text)
{
    for (; *text != 0; text++) {
        if ((uint8_t)*text < 0x20 || (uint8_t)*text >= DEL) {
            *text = '?';
        }
    }
}
