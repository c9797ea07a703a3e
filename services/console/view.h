// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is shown at the moment, on the serial line and the screen alike: Leat's messages with the
 * prompt, one VM's console, everything line by line, or the table of disks (live.h); before all of them a
 * menu or a notice (front.h). The prompt stands on the last line while Leat is shown; among everything it only
 * appears while a command is typed.
 */
#ifndef CONSOLE_VIEW_H
#define CONSOLE_VIEW_H

#include <leat/start.h>
#include "lib/loop.h"

#define VIEW_ROOM (48u << 10) /* output space that must be free before guests and logs are read */

/* wanted: "leat", "all", "disks" or a VM's name. */
void view_init(struct leat_loop *loop, const char *wanted);

/* May more be shown without losing any? */
bool view_has_room(void);

/* One of Leat's lines, with its time stamp; kept for `log`. is_new: not yet on the serial line. */
void view_leat_line(const char *text, size_t length, bool is_new);

/* An answer at the prompt; not kept. is_last: the prompt comes back. */
void view_answer(const char *text, bool is_last);

/* Raw bytes of a VM's console: shown if that VM is. */
void view_guest_bytes(unsigned number, const char *bytes, size_t count);

/* One safe line of a VM's console: shown among everything. */
void view_guest_line(const char *name, const char *text, size_t length);
bool view_is_all(void);

/* That VM's output, or Leat's lines, go to the serial line now. */
bool view_shows_guest(unsigned number);
bool view_shows_lines(void);

/* A LEAT_CTL_SCREEN: a menu or a notice comes, changes or goes. */
void view_screen(const struct leat_ctl *message);

/* What was typed. */
void view_input(const uint8_t *bytes, size_t count);

#endif
