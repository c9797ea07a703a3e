// SPDX-License-Identifier: BSD-2-Clause
/* The framebuffer as a text terminal, drawn lazily: a burst of output costs one drawing. */
#ifndef CONSOLE_SCREEN_H
#define CONSOLE_SCREEN_H

#include "lib/loop.h"

/* From the start block's "mmio" framebuffer and "file" font.psf; without both nothing is drawn. */
void screen_init(struct leat_loop *loop);

/* In characters; unchanged when nothing is drawn. */
void screen_size(unsigned *columns, unsigned *rows);

void screen_write(const char *bytes, size_t count);

#endif
