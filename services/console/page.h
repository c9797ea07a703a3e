// SPDX-License-Identifier: BSD-2-Clause
/*
 * A panel as rows of text, and the bytes that bring a terminal from what it shows to that: ECMA-48's CUP, CUU, CUD, EL, ED
 * and SGR. A page stands alone on a terminal, from its top on; or below whatever the terminal shows besides, its last row
 * right above the cursor: that one goes and comes back, as lines of a log take its place. Each row that is drawn ends with a
 * line end, so that a log of the bytes can be read too. Portable.
 */
#ifndef CONSOLE_PAGE_H
#define CONSOLE_PAGE_H

#include "services/console/panel.h"

#define PAGE_ROW (PANEL_TEXT + 15u)                      /* with its colours */
#define PAGE_BYTES (PANEL_ROWS * (PAGE_ROW + 16u) + 32u) /* that one call writes at most */

struct page { /* zeroed: no rows */
    unsigned columns, rows, used;
    uint32_t number; /* of the menu */
    unsigned top;    /* its first entry that is seen */
    char row[PANEL_ROWS][PAGE_ROW];
};

/* The panel as it is now. columns, rows: of the terminal, any; more than PANEL_COLUMNS and PANEL_ROWS are not used, and
   neither are its last column and row. Sets the panel's window. */
void page_make(struct page *page, struct panel *panel, unsigned columns, unsigned rows,
               uint64_t now_ns);

/* These write to out, and return how many bytes; 0: there is nothing to do. old: what is there; NULL: nobody knows what,
   or nothing is. */
size_t page_put_alone(const struct page *old, const struct page *page, char out[PAGE_BYTES]);
size_t page_put_below(const struct page *old, const struct page *page, char out[PAGE_BYTES]);
/* From below; then the cursor is where its first row began. */
size_t page_take_away(const struct page *old, char out[PAGE_BYTES]);

#endif
