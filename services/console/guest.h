// SPDX-License-Identifier: BSD-2-Clause
/* The guests' consoles: numbered from 1 as in leat.conf, there while the VM runs. */
#ifndef CONSOLE_GUEST_H
#define CONSOLE_GUEST_H

#include <leat/start.h>
#include "lib/loop.h"
#include "services/console/scrollback.h"
#include "services/console/sources.h"

/* Takes the VMs' names from the arguments. all: where their consoles are added while they are there. */
void guest_init(struct leat_loop *loop, struct sources *all);

/* A VM of a number that was not in the arguments is made known by that. */
void guest_attach(const struct leat_ctl *message);

/* True: the cookie was a guest's; it is gone, what it had written is shown. */
bool guest_detach(uint64_t cookie);

/* A line of the supervisor about that VM, for whoever looks at it. */
void guest_status(unsigned number, const char *text);

/* One byte typed; dropped when the guest does not read. */
void guest_input(unsigned number, uint8_t byte);

/* NULL: there is no such VM. */
const char *guest_name(unsigned number);
bool guest_is_there(unsigned number);

/* NULL: it never ran. */
const struct scrollback *guest_scrollback(unsigned number);

#endif
