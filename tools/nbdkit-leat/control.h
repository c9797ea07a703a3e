// SPDX-License-Identifier: BSD-2-Clause
/* The control socket of leatd: one connection, made when it is needed, made again when it is lost. */
#ifndef NBDKIT_LEAT_CONTROL_H
#define NBDKIT_LEAT_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/nbdkit-leat/grant.h"

/* Once, before threads. False: the path is too long for a Unix socket. */
bool control_init(const char *path);
/* Sends a request, and waits for its answer (a string without line feed) for at most so many seconds. False: leatd is
   away. A request whose answer was lost is asked once more: all of them may be asked twice. Any thread; one at a
   time is served, and when that one finds leatd away, so have all that wait. */
bool control_ask(const char *line, size_t length, unsigned seconds, char answer[GRANT_LINE]);
void control_close(void);

#endif
