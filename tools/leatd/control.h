// SPDX-License-Identifier: BSD-2-Clause
/* The control socket: connections of the nbdkit plugin, without blocking. */
#ifndef LEATD_CONTROL_H
#define LEATD_CONTROL_H

#include "tools/leatd/control_wire.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct leatd;
struct control;

#define CONTROL_POLLS (CONTROL_CONNECTIONS + 1)

/*
 * Listens; a socket of the same path that nobody serves is replaced. The caller holds the state folder's lock. NULL with a
 * sentence in error (CONFIG_ERROR_BYTES).
 */
struct control *control_open(struct leatd *leatd, char *error);
void control_close(struct control *control);

/* What to wait for: writes CONTROL_POLLS entries, those not in use with fd -1. */
void control_polls(const struct control *control, struct pollfd *polls);

/* Does what poll has found to do in the same entries. */
void control_serve(struct control *control, const struct pollfd *polls);

/* One request without its line feed; the answer is from malloc, with a line feed. NULL: not a request, the connection ends. */
char *control_answer(struct leatd *leatd, const char *line, size_t size);

#endif
