// SPDX-License-Identifier: BSD-2-Clause
/* The storage controllers that the service `storage` works: found on PCI, handed over as start entries. */
#ifndef SUPERVISOR_CONTROLLERS_H
#define SUPERVISOR_CONTROLLERS_H

#include "services/supervisor/process.h"

#define CONTROLLERS_MOST 6u

/* Looks for controllers that drivers/block knows; how many there are, at most CONTROLLERS_MOST. */
unsigned controllers_find(void);

/* Gives them to the service, each with what its driver needs (services/supervisor/README.md), with bus
   mastering on, and memory for DMA. LEAT_OK when there is at least one; what is missing is logged. To
   be called when all others have their interrupts: a line that is taken already is not shared. Again when
   that service is dead: the next one gets the same memory for DMA, so that controllers which still work
   on commands of the old one harm nobody until the drivers, which begin with that, have reset them. */
int controllers_give(struct process *storage);

/* The service has ended, and no other one follows: the controllers reach no memory any more. */
void controllers_off(void);

#endif
