// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/font.h"

#include <string.h>

/* The headers of the Linux console tools' psf.h. */
#define PSF1_MAGIC 0x0436u
#define PSF2_MAGIC 0x864ab572u
enum { PSF1_HEADER = 4, PSF1_MODE_512 = 1 };

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
    return LEAT_OK;
}

const uint8_t *font_glyph(const struct font *font, uint8_t character)
{
    if (character < 0x20 || character >= 0x7f) {
        character = '?';
    }
    return font->glyphs + (size_t)character * font->bytes_per_glyph;
}
