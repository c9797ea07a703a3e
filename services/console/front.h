// SPDX-License-Identifier: BSD-2-Clause
/*
 * The notice or the menu of the supervisor (panel.h): alone on the screen; on the serial line below the lines that are
 * written there meanwhile. Draws it, as little as it takes and not faster than the line carries it, keeps its clock, and
 * tells the supervisor what was chosen.
 */
#ifndef CONSOLE_FRONT_H
#define CONSOLE_FRONT_H

#include <leat/start.h>
#include "lib/loop.h"
#include "services/console/panel.h"

void front_init(struct leat_loop *loop);

/* PANEL_FRONT: it is to be brought to the front, by front_start. PANEL_CLOSED: it is over, and was taken away. */
enum panel_result front_message(const struct leat_ctl *message);

/* From now on it is drawn, and the clock runs. The serial line is at a line's beginning. False: there is none. */
bool front_start(void);

/* Lines follow on the serial line: they take the place of what is drawn there, which comes back below them within a
   second, and not more often than twice in one. Nothing when it is not in front. */
void front_make_way(void);

/* May lines be written, so that there is room for a drawing too? */
bool front_has_room(void);

/* The user goes elsewhere: it is taken away. A menu's clock stops. */
void front_leave(void);

/* What is typed while it is in front; front_touch: a key that is not for it. */
void front_type(uint8_t byte);
void front_touch(void);

#endif
