// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/font.h"

#include <string.h>

/* The headers of the Linux console tools' psf.h. */
#define PSF1_MAGIC 0x0436u
#define PSF2_MAGIC 0x864ab572u
enum { PSF1_HEADER = 4, PSF1_MODE_512 = 1, PSF1_MODE_TABLE = 2 };
/* In the table: two bytes for a code point, and between them: */
enum { PSF1_SEQUENCE = 0xfffe, PSF1_NEXT_GLYPH = 0xffff };

struct psf2_header {
    uint32_t magic, version, header_size, flags, count, bytes_per_glyph, height, width;
};

static bool read_psf1(const uint8_t *file, struct font *font, size_t *header)
{
    if (file[0] != (PSF1_MAGIC & 0xff) || file[1] != PSF1_MAGIC >> 8) {
        return false;
    }
    *header = PSF1_HEADER;
    font->count = (file[2] & PSF1_MODE_512) != 0 ? 512 : 256;
    font->width = 8;
    font->height = file[3];
    font->bytes_per_glyph = file[3];
    return true;
}

static bool read_psf2(const uint8_t *file, size_t size, struct font *font, size_t *header)
{
    struct psf2_header h;

    if (size < sizeof(h)) {
        return false;
    }
    memcpy(&h, file, sizeof(h));
    if (h.magic != PSF2_MAGIC || h.header_size < sizeof(h)) {
        return false;
    }
    *header = h.header_size;
    font->count = h.count;
    font->width = h.width;
    font->height = h.height;
    font->bytes_per_glyph = h.bytes_per_glyph;
    return true;
}

/* For each glyph its code points; then sequences, which nobody needs here. */
static void read_table(const uint8_t *at, const uint8_t *end, struct font *font)
{
    bool is_sequence = false;
    unsigned glyph = 0;

    for (; end - at >= 2 && glyph < font->count; at += 2) {
        unsigned code = at[0] | (unsigned)at[1] << 8;

        if (code == PSF1_NEXT_GLYPH) {
            glyph++;
            is_sequence = false;
        } else if (code == PSF1_SEQUENCE) {
            is_sequence = true;
        } else if (code < FONT_CODES && !is_sequence) {
            font->glyph_of[code] = (uint16_t)glyph;
        }
    }
}

static void name_glyphs(const uint8_t *file, size_t size, struct font *font)
{
    const uint8_t *table = font->glyphs + (size_t)font->count * font->bytes_per_glyph;

    for (unsigned code = 0; code < FONT_CODES; code++) {
        font->glyph_of[code] = code >= 0x20 && code < 0x7f ? (uint16_t)code : FONT_NO_GLYPH;
    }
    if (file[0] == (PSF1_MAGIC & 0xff) && (file[2] & PSF1_MODE_TABLE) != 0) {
        read_table(table, file + size, font);
    }
}

int font_read(const uint8_t *file, size_t size, struct font *font)
{
    size_t header = 0;

    memset(font, 0, sizeof(*font));
    if (size < PSF1_HEADER ||
        (!read_psf1(file, font, &header) && !read_psf2(file, size, font, &header))) {
        return LEAT_EINVAL;
    }
    if (font->width == 0 || font->width > FONT_MAX_SIDE || font->height == 0 ||
        font->height > FONT_MAX_SIDE) {
        return LEAT_EINVAL;
    }
    font->bytes_per_row = (font->width + 7) / 8;
    if (font->bytes_per_glyph != font->bytes_per_row * font->height || font->count < 128 ||
        font->count > 65536 || header > size ||
        (size_t)font->count * font->bytes_per_glyph > size - header) {
        return LEAT_EINVAL;
    }
    font->glyphs = file + header;
    name_glyphs(file, size, font);
    return LEAT_OK;
}

const uint8_t *font_glyph(const struct font *font, uint32_t code)
{
    unsigned glyph = code < FONT_CODES ? font->glyph_of[code] : FONT_NO_GLYPH;

    return font->glyphs + (size_t)(glyph != FONT_NO_GLYPH ? glyph : '?') * font->bytes_per_glyph;
}
