// SPDX-License-Identifier: BSD-2-Clause
/* Leat's own messages: the kernel's log and every process's log channel. */
#ifndef CONSOLE_LOGS_H
#define CONSOLE_LOGS_H

#include <leat/start.h>
#include "lib/loop.h"
#include "services/console/sources.h"

/* Reads what the kernel has logged so far and takes the serial line over from it. all: where the logs are
   added while their processes live. */
void logs_init(struct leat_loop *loop, struct sources *all);

void logs_attach(const struct leat_ctl *message);

/* True: the cookie was a log's; it is gone, what it had written is shown. */
bool logs_detach(uint64_t cookie);

#endif
