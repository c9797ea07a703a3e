// SPDX-License-Identifier: BSD-2-Clause
/*
 * The process's side of its control channel with the supervisor (include/leat/start.h). One channel
 * a process; the thread that runs the loop makes all calls.
 */
#ifndef LIB_CTL_H
#define LIB_CTL_H

#include <leat/start.h>
#include "lib/loop.h"

typedef void (*leat_ctl_fn)(const struct leat_ctl *message);

/* Joins the channel of role "ctl" and calls handler for each message that arrives. The message is a
   private copy with a terminated text. LEAT_ENOENT: the process has no control channel. */
int leat_ctl_init(struct leat_loop *loop, leat_ctl_fn handler);

/* Sends {op, text, arg[0], arg[1]}; text may be NULL and is cut to fit. Does not block: messages
   that find the channel full wait in a queue of LEAT_CTL_BACKLOG; LEAT_EAGAIN when that is full
   too. */
int leat_ctl_send(uint32_t op, const char *text, uint64_t arg0, uint64_t arg1);

/* The same with all arguments. */
int leat_ctl_send_all(uint32_t op, const char *text, const uint64_t arg[4]);

#define LEAT_CTL_BACKLOG 64

#endif
