// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which of the disks that a server offers will run: what always does, and one of the others; by the menu when there are
 * several. The client's process is told by LEAT_CTL_CHOOSE.
 */
#ifndef SUPERVISOR_CHOICE_H
#define SUPERVISOR_CHOICE_H

#include <leat/client.h>
#include "services/supervisor/process.h"

/* A new offer takes the place of one before. What was chosen from that is chosen again, without a menu, if it is
   there. */
void choice_offer(struct process *client, const volatile struct leat_client_offer *shared);

/* The name of the disk that was chosen; empty: there was no choice. */
const char *choice_name(void);

/* What was chosen cannot be started: the next offer has its menu again. */
void choice_undo(void);

/* The process is dead: a menu that is shown goes away. */
void choice_forget(void);

#endif
