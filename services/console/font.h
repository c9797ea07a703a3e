// SPDX-License-Identifier: BSD-2-Clause
/* A bitmap font in the PC Screen Font format, versions 1 and 2. Portable. */
#ifndef CONSOLE_FONT_H
#define CONSOLE_FONT_H

#include <leat/types.h>

#define FONT_MAX_SIDE 32 /* pixels */

struct font {
    unsigned width, height; /* pixels */
    unsigned bytes_per_row, bytes_per_glyph;
    unsigned count;        /* glyphs, by their position: ASCII in every font of the format */
    const uint8_t *glyphs; /* inside the file */
};

/* LEAT_EINVAL: not such a font, or damaged. */
int font_read(const uint8_t *file, size_t size, struct font *font);

/* The glyph's rows, most significant bit left; '?' where the font lacks it. */
const uint8_t *font_glyph(const struct font *font, uint8_t character);

#endif
