// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/terminal.h"

#include <string.h>

enum { BELL = 7, BACKSPACE = 8, TAB = 9, ESC = 27 };
#define PARAMETER_MOST 9999u

static const uint16_t blank[TERMINAL_MAX_COLUMNS] = {[0 ... TERMINAL_MAX_COLUMNS - 1] = ' '};

static uint16_t *row_of(struct terminal *t, unsigned y)
{
    return t->cells[(t->first + y) % t->rows];
}

const uint16_t *terminal_row(const struct terminal *t, unsigned y)
{
    return t->cells[(t->first + y) % t->rows];
}

static void clear_cells(struct terminal *t, unsigned y, unsigned from, unsigned to)
{
    memcpy(row_of(t, y) + from, blank, (to - from) * sizeof(blank[0]));
}

static void clear_rows(struct terminal *t, unsigned from, unsigned to)
{
    for (unsigned y = from; y < to; y++) {
        clear_cells(t, y, 0, t->columns);
    }
}

void terminal_init(struct terminal *t, unsigned columns, unsigned rows)
{
    memset(t, 0, sizeof(*t));
    t->columns = columns < TERMINAL_MAX_COLUMNS ? columns : TERMINAL_MAX_COLUMNS;
    t->rows = rows < TERMINAL_MAX_ROWS ? rows : TERMINAL_MAX_ROWS;
    clear_rows(t, 0, t->rows);
}

static void line_down(struct terminal *t)
{
    if (t->y + 1 < t->rows) {
        t->y++;
        return;
    }
    t->first = (t->first + 1) % t->rows;
    clear_rows(t, t->rows - 1, t->rows);
}

static void put(struct terminal *t, uint32_t code)
{
    if (t->x >= t->columns) {
        t->x = 0;
        line_down(t);
    }
    row_of(t, t->y)[t->x++] = (uint16_t)(code < TERMINAL_REVERSE ? code : '?') | t->reverse;
}

/* Bytes from 80h on. What is not UTF-8 shows as '?', a sequence that breaks off too. */
static void feed_utf8(struct terminal *t, uint8_t byte)
{
    if (byte >= 0x80 && byte < 0xc0) {
        t->code = t->code << 6 | (byte & 0x3f);
        if (t->code_needs != 0 && --t->code_needs == 0) {
            put(t, t->code);
        }
        return;
    }
    if (t->code_needs != 0) {
        put(t, '?');
    }
    t->code_needs = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    t->code = byte & (0x3fu >> t->code_needs);
}

static void feed_text(struct terminal *t, uint8_t byte)
{
    if (byte >= 0x80) {
        feed_utf8(t, byte);
        return;
    }
    if (t->code_needs != 0) {
        put(t, '?');
        t->code_needs = 0;
    }
    switch (byte) {
    case '\n':
        line_down(t);
        break;
    case '\r':
        t->x = 0;
        break;
    case BACKSPACE:
        t->x -= t->x != 0;
        break;
    case TAB:
        t->x = (t->x & ~7u) + 8 < t->columns ? (t->x & ~7u) + 8 : t->columns - 1;
        break;
    case ESC:
        t->state = TERMINAL_ESCAPE;
        break;
    default:
        if (byte >= 0x20 && byte != 0x7f) {
            put(t, byte);
        }
        break;
    }
}

/* A parameter that is absent or 0 means 1 where a count or a position is meant. */
static unsigned count_of(const struct terminal *t, unsigned i)
{
    return i < t->parameter_count && t->parameters[i] != 0 ? t->parameters[i] : 1;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static void erase_line(struct terminal *t)
{
    unsigned what = t->parameter_count == 0 ? 0 : t->parameters[0];
    unsigned x = least(t->x, t->columns);
    unsigned from = what == 0 ? x : 0;
    unsigned to = what == 1 ? least(x + 1, t->columns) : t->columns;

    if (what <= 2) {
        clear_cells(t, t->y, from, to);
    }
}

static void erase_screen(struct terminal *t)
{
    unsigned what = t->parameter_count == 0 ? 0 : t->parameters[0];

    if (what == 0) {
        erase_line(t);
        clear_rows(t, t->y + 1, t->rows);
    } else if (what == 1) {
        erase_line(t);
        clear_rows(t, 0, t->y);
    } else {
        clear_rows(t, 0, t->rows);
    }
}

/* SGR: of what there is only reverse video. */
static void set_graphics(struct terminal *t)
{
    enum { SGR_NORMAL = 0, SGR_REVERSE = 7, SGR_NOT_REVERSE = 27, SGR_INK = 38, SGR_PAPER = 48 };

    if (t->parameter_count == 0) {
        t->reverse = 0;
    }
    for (unsigned i = 0; i < t->parameter_count; i++) {
        if (t->parameters[i] == SGR_INK || t->parameters[i] == SGR_PAPER) {
            break; /* the numbers of a colour follow */
        }
        if (t->parameters[i] == SGR_REVERSE) {
            t->reverse = TERMINAL_REVERSE;
        } else if (t->parameters[i] == SGR_NORMAL || t->parameters[i] == SGR_NOT_REVERSE) {
            t->reverse = 0;
        }
    }
}

static void control(struct terminal *t, uint8_t final)
{
    unsigned n = count_of(t, 0);

    switch (final) {
    case 'A':
        t->y -= least(n, t->y);
        break;
    case 'B':
        t->y = least(t->y + n, t->rows - 1);
        break;
    case 'C':
        t->x = least(t->x + n, t->columns - 1);
        break;
    case 'D':
        t->x -= least(n, t->x);
        break;
    case 'G':
        t->x = least(n, t->columns) - 1;
        break;
    case 'H':
    case 'f':
        t->y = least(n, t->rows) - 1;
        t->x = least(count_of(t, 1), t->columns) - 1;
        break;
    case 'J':
        erase_screen(t);
        break;
    case 'K':
        erase_line(t);
        break;
    case 'm':
        set_graphics(t);
        break;
    default:
        break;
    }
}

static void feed_csi(struct terminal *t, uint8_t byte)
{
    unsigned *parameter;

    if (byte >= '0' && byte <= '9') {
        t->parameter_count += t->parameter_count == 0;
        parameter = &t->parameters[t->parameter_count - 1];
        *parameter = least(*parameter * 10 + (unsigned)(byte - '0'), PARAMETER_MOST);
    } else if (byte == ';') {
        t->parameter_count += t->parameter_count == 0;
        t->parameter_count += t->parameter_count < TERMINAL_MAX_PARAMETERS;
        t->parameters[t->parameter_count - 1] = 0;
    } else if (byte == '?' || byte == '>' || byte == '=') {
        t->is_private = true;
    } else if (byte >= 0x40 && byte <= 0x7e) {
        t->state = TERMINAL_TEXT;
        if (!t->is_private) {
            control(t, byte);
        }
    } else if (byte < 0x20) {
        t->state = TERMINAL_TEXT;
        feed_text(t, byte);
    }
}

static void feed_escape(struct terminal *t, uint8_t byte)
{
    t->state = TERMINAL_TEXT;
    if (byte == '[') {
        t->state = TERMINAL_CSI;
        t->parameter_count = 0;
        t->is_private = false;
        memset(t->parameters, 0, sizeof(t->parameters));
    } else if (byte == '(' || byte == ')' || byte == '#') {
        t->state = TERMINAL_SKIP_ONE;
    } else if (byte == 'c') {
        terminal_init(t, t->columns, t->rows);
    }
}

void terminal_write(struct terminal *t, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)bytes[i];

        switch (t->state) {
        case TERMINAL_TEXT:
            feed_text(t, byte);
            break;
        case TERMINAL_ESCAPE:
            feed_escape(t, byte);
            break;
        case TERMINAL_CSI:
            feed_csi(t, byte);
            break;
        case TERMINAL_SKIP_ONE:
            t->state = TERMINAL_TEXT;
            break;
        }
    }
}
