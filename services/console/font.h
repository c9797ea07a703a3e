// SPDX-License-Identifier: BSD-2-Clause
/* A bitmap font in the PC Screen Font format, versions 1 and 2. Portable. */
#ifndef CONSOLE_FONT_H
#define CONSOLE_FONT_H

#include <leat/types.h>

#define FONT_MAX_SIDE 32 /* pixels */

#define FONT_CODES 0x2600u /* up to box drawing and blocks */
#define FONT_NO_GLYPH 0xffffu

struct font {
    unsigned width, height; /* pixels */
    unsigned bytes_per_row, bytes_per_glyph;
    unsigned count;        /* glyphs, by their position: ASCII in every font of the format */
    const uint8_t *glyphs; /* inside the file */
    uint16_t glyph_of[FONT_CODES]; /* by code point; FONT_NO_GLYPH: the font lacks it */
};

/* LEAT_EINVAL: not such a font, or damaged. */
int font_read(const uint8_t *file, size_t size, struct font *font);

/* The glyph's rows, most significant bit left; '?' where the font lacks it. Beyond ASCII it knows what the file's own
   table names (version 1 only). */
const uint8_t *font_glyph(const struct font *font, uint32_t code);

#endif
