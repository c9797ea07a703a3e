// SPDX-License-Identifier: BSD-2-Clause
/* A panel, the terminal that shows it, and the messages that fill it. */
#ifndef TESTS_UNIT_PANEL_FIXTURE_H
#define TESTS_UNIT_PANEL_FIXTURE_H

#include "services/console/page.h"
#include "services/console/terminal.h"

#define SECOND 1000000000ull

extern struct panel panel;
extern struct terminal terminal;

/* Everything is new; the terminal has that size. */
void panel_begin(unsigned columns, unsigned rows);

enum panel_result panel_tell(uint64_t op, const char *text, uint64_t a, uint64_t b, uint64_t c,
                             uint64_t now_ns);

/* count entries "entry 1", "entry 2" ... , or those given. */
enum panel_result panel_tell_menu(const char *const labels[], unsigned count, unsigned chosen_first,
                                  unsigned seconds, uint64_t now_ns);

/* Draws, and has the terminal read it; the bytes, terminated. */
const char *panel_drawn(bool all, uint64_t now_ns);

/* The same below what the terminal shows besides; is_there: it stands there already, right above the cursor. */
const char *panel_drawn_below(bool is_there, uint64_t now_ns);

/* Takes the panel away from below, and writes these. */
void panel_lines(const char *lines);

/* A row of the terminal without the spaces at its end; '#' for what is not ASCII. */
const char *panel_row(unsigned row);

/* The result of the last byte. */
enum panel_result panel_type_text(const char *text);

#endif
