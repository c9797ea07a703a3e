// SPDX-License-Identifier: BSD-2-Clause
/* The service `storage` from its start to its end, as the supervisor sees it. */
#ifndef SUPERVISOR_STORAGE_H
#define SUPERVISOR_STORAGE_H

#include "lib/config/config.h"
#include "services/supervisor/process.h"

/* Starts it when the machine has controllers that it knows, and waits until it has looked at their
   disks. After services_start_net, which has its interrupt by then. */
void storage_start(const struct leat_config *config);

/* The size of the partition that it serves; 0: there is none, and storage does not run. */
uint64_t storage_partition_bytes(void);

/* Joins vdisk, which does not run yet, to it. Once. LEAT_OK, or an error that is logged. */
int storage_join(struct process *vdisk);

/* vdisk is dead: nothing is sent to it any more. */
void storage_forget(const struct process *vdisk);

#endif
