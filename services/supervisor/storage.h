// SPDX-License-Identifier: BSD-2-Clause
/*
 * The service `storage` from its start to its end, as the supervisor sees it. When it dies it is started
 * again, and vdisk gets the new one's channel to the same partition; what needs the disk waits until
 * then. One that dies again and again, or does not find the partition any more, is given up, and the
 * store takes no more writes.
 */
#ifndef SUPERVISOR_STORAGE_H
#define SUPERVISOR_STORAGE_H

#include "lib/config/config.h"
#include "services/supervisor/process.h"

/* Starts it when the machine has controllers that it knows, and waits until it has looked at their
   disks. After services_start_net, which has its interrupt by then. config lives on. */
void storage_start(const struct leat_config *config);

/* The size of the partition that it serves; 0: there is none, and storage does not run. */
uint64_t storage_partition_bytes(void);

/* Joins vdisk, which does not run yet, to it. Once. LEAT_OK, or an error that is logged. */
int storage_join(struct process *vdisk);

/* vdisk has let go of a channel. False: not of one to storage. */
bool storage_detached(const struct process *vdisk, uint64_t cookie);

/* Another service is dead: nothing is sent to it any more. */
void storage_forget(const struct process *service);

/* Ends it, so that it is started again. False: it does not run. */
bool storage_restart(void);

#endif
