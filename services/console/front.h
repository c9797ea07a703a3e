// SPDX-License-Identifier: BSD-2-Clause
/*
 * The notice or the menu of the supervisor (panel.h) on serial line and screen: draws it, as little as it takes and
 * not faster than the line carries it, keeps its clock, and tells the supervisor what was chosen.
 */
#ifndef CONSOLE_FRONT_H
#define CONSOLE_FRONT_H

#include <leat/start.h>
#include "lib/loop.h"
#include "services/console/panel.h"

/* show: writes to the serial line and the screen. */
void front_init(struct leat_loop *loop, void (*show)(const char *bytes, size_t count));

/* PANEL_FRONT: it is to be brought to the front, by front_start. PANEL_CLOSED: it is over. */
enum panel_result front_message(const struct leat_ctl *message);

/* From now on it is drawn, and the clock runs. False: there is none. */
bool front_start(void);

/* The user goes elsewhere: nothing is drawn any more. A menu's clock stops. */
void front_leave(void);

/* What is typed while it is in front; front_touch: a key that is not for it. */
void front_type(uint8_t byte);
void front_touch(void);

#endif
