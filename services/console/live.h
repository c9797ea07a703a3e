// SPDX-License-Identifier: BSD-2-Clause
/*
 * The view `disks`: a table of the disks that is drawn anew once a second, as long as it is looked at.
 * The supervisor is asked for it, as for a command at the prompt, and has the vdisk service draw it.
 */
#ifndef CONSOLE_LIVE_H
#define CONSOLE_LIVE_H

#include "lib/loop.h"

/* show: writes to the serial line and the screen. */
void live_init(struct leat_loop *loop, void (*show)(const char *bytes, size_t count));
void live_start(void);
void live_stop(void);

/* A line of an answer, plain text. True: it was for this view. */
bool live_answer(uint64_t number, const char *text, bool is_last);

#endif
