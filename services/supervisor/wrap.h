// SPDX-License-Identifier: BSD-2-Clause
/* Breaks a text into lines for a screen. Portable. */
#ifndef SUPERVISOR_WRAP_H
#define SUPERVISOR_WRAP_H

#define WRAP_COLUMNS 78u /* a serial terminal has 80 */

/* Lines end at line feeds, and at the last space that keeps them within `columns` characters of UTF-8; a longer word is
   left whole. Spaces of `text` become NULs, lines[] points into it. Returns how many there are: at most `most`, the
   last one with all the rest. */
unsigned wrap_text(char *text, unsigned columns, const char *lines[], unsigned most);

#endif
