// SPDX-License-Identifier: BSD-2-Clause
/*
 * A panel as rows of text, and the bytes that bring a terminal from what it shows to that: ECMA-48's CUP, EL, ED and
 * SGR. Each row that is drawn ends with a line end, so that a log of the bytes can be read too. Portable.
 */
#ifndef CONSOLE_PAGE_H
#define CONSOLE_PAGE_H

#include "services/console/panel.h"

#define PAGE_ROW (PANEL_TEXT + 15u)                      /* with its colours */
#define PAGE_BYTES (PANEL_ROWS * (PAGE_ROW + 16u) + 32u) /* that page_draw writes at most */

struct page { /* zeroed: nothing is known of the terminal */
    unsigned columns, rows, used;
    char row[PANEL_ROWS][PAGE_ROW];
};

/*
 * Writes to out what makes the terminal show the panel as it is now: all of it, or what differs from the last
 * page_draw; 0: nothing does. columns, rows: of the terminal, any; more than PANEL_COLUMNS and PANEL_ROWS are not
 * used, and neither are its last column and row. Sets the panel's top and window.
 */
size_t page_draw(struct page *page, struct panel *panel, unsigned columns, unsigned rows, bool all,
                 uint64_t now_ns, char out[PAGE_BYTES]);

#endif
