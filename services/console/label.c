// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/label.h"

#include <string.h>

#include "services/console/line.h"

struct range {
    uint32_t first, last;
};

/* Unicode 15, UAX 11: blocks whose characters are wide on terminals. */
static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
    {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe10, 0xfe19},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x16fe0, 0x18aff},
    {0x1b000, 0x1b2ff}, {0x1f000, 0x1faff}, {0x20000, 0x3fffd},
};

/* Unicode 15, UAX 9 and general category Cf, Zl, Zp: they turn, hide or break what stands beside them. */
static const struct range refused[] = {
    {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e}, {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
};

static bool is_in(const struct range *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}
#define IS_IN(ranges, code) is_in(ranges, sizeof(ranges) / sizeof((ranges)[0]), code)

/* One character of good UTF-8 (Unicode 15, table 3-6). */
static size_t decode(const char *text, size_t length, uint32_t *code)
{
    uint8_t first = (uint8_t)text[0];
    size_t bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    bytes = bytes < length ? bytes : length;
    *code = bytes == 1 ? first : first & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        *code = *code << 6 | ((uint8_t)text[i] & 0x3f);
    }
    return bytes;
}

struct maker {
    char *out;
    size_t size, used;
    unsigned columns, most;
    bool has_piece, is_full;
};

static void add(struct maker *m, const char *bytes, size_t count, unsigned columns)
{
    if (m->is_full || m->columns + columns > m->most || m->used + count >= m->size) {
        m->is_full = true;
        return;
    }
    memcpy(m->out + m->used, bytes, count);
    m->used += count;
    m->columns += columns;
}

static void add_piece(void *context, const char *text, size_t length)
{
    struct maker *m = context;
    size_t at = 0;

    if (m->has_piece) {
        add(m, " ", 1, 1);
    }
    m->has_piece = true;
    while (at < length && !m->is_full) {
        uint32_t code;
        size_t bytes = decode(text + at, length - at, &code);

        if (code == '\t') {
            add(m, " ", 1, 1);
        } else if (IS_IN(refused, code)) {
            add(m, "?", 1, 1);
        } else {
            add(m, text + at, bytes, IS_IN(wide, code) ? 2 : 1);
        }
        at += bytes;
    }
}

unsigned label_make(char *out, size_t size, unsigned columns, const char *text)
{
    struct maker m = {.out = out, .size = size, .most = columns};
    struct line_splitter line;

    line_init(&line, add_piece, &m);
    line_feed(&line, text, strlen(text));
    line_flush(&line);
    out[m.used] = '\0';
    return m.columns;
}

size_t label_cut(const char *label, unsigned columns)
{
    size_t length = strlen(label);
    size_t at = 0;
    unsigned used = 0;

    while (at < length) {
        uint32_t code;
        size_t bytes = decode(label + at, length - at, &code);

        used += IS_IN(wide, code) ? 2 : 1;
        if (used > columns) {
            break;
        }
        at += bytes;
    }
    return at;
}
