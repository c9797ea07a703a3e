// SPDX-License-Identifier: BSD-2-Clause
/* The memory that disks in mode `ram` keep their writes in. Host-testable. */
#ifndef SUPERVISOR_OVERLAY_H
#define SUPERVISOR_OVERLAY_H

#include "lib/config/config.h"

struct overlay_plan {
    uint64_t total_bytes; /* memory for all of them, at most what is available */
    uint64_t asked_bytes; /* by `overlay =` in leat.conf, with what bookkeeping takes */
    uint64_t share_bytes; /* overlay of a disk that asks for nothing */
};

/* A disk counts once for each VM that has it. Those that ask for nothing share evenly what the others
   leave of available_bytes. total_bytes is 0 when no VM has such a disk. */
void overlay_plan(const struct leat_config *config, uint64_t available_bytes,
                  struct overlay_plan *plan);

/* What the disk's overlay may take in that plan; 0: it has none. */
uint64_t overlay_of(const struct leat_config_disk *disk, const struct overlay_plan *plan);

#endif
