// SPDX-License-Identifier: BSD-2-Clause
/* Text that somebody else has written, made fit for one row of a terminal. Portable. */
#ifndef CONSOLE_LABEL_H
#define CONSOLE_LABEL_H

#include <leat/types.h>

/*
 * out: the text, terminated, cut at a character to `columns` columns of a terminal and to size - 1 bytes: size 4 *
 * columns + 1 holds all. Line ends and tabs become a space each; control characters, what is not UTF-8, and characters that
 * change the order of others ('?') do not get through (line.h). Returns the columns that it takes; characters that
 * take none are counted as one.
 */
unsigned label_make(char *out, size_t size, unsigned columns, const char *text);

/* Bytes of the first columns of such a text. */
size_t label_cut(const char *label, unsigned columns);

#endif
