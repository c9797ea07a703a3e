// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the supervisor has the console show before all views: a notice, or a menu (LEAT_CTL_SCREEN in
 * include/leat/start.h). One at a time: each takes the place of the one before. Texts are UTF-8, copied, and cut
 * to 279 bytes; the console makes control characters harmless. No call blocks.
 */
#ifndef SUPERVISOR_SCREEN_H
#define SUPERVISOR_SCREEN_H

#include "services/supervisor/process.h"

void screen_init(void);

/* lines: at most LEAT_SCREEN_LINES are shown. seconds: not 0: a last line "asks again in N s" counts down from there; at
   0 it stays until the next notice. Showing the same notice again is cheap: only what differs is drawn. A menu
   that was there is over, and its callback will not be called. */
void screen_notice(const char *title, const char *const lines[], unsigned count, unsigned seconds);

typedef void (*screen_chosen_fn)(void *context, unsigned index, bool by_timeout);

/* labels: 1 to LEAT_SCREEN_ENTRIES; chosen_first < count: the default; seconds: until it is chosen, 0: never by itself.
   chosen is called once, from the loop, never before screen_menu has returned; the menu stays on the screen until
   screen_notice, screen_menu or screen_close. Without a console, and when it dies, the default is chosen at once
   as if by the time-out. screen_close, screen_notice and another menu take a menu back: no call. */
void screen_menu(const char *title, const char *const labels[], unsigned count,
                 unsigned chosen_first, unsigned seconds, screen_chosen_fn chosen, void *context);

/* Back to the view that was there; nothing if nothing is shown. */
void screen_close(void);

/* The same, but with that VM's console shown (number from 1), if the user has not gone elsewhere. */
void screen_close_to_vm(unsigned number);

/* For services.c: the console's LEAT_CTL_CHOSEN; and that the console is dead. */
void screen_chosen(const struct leat_ctl *message);
void screen_forget_console(void);

#endif
