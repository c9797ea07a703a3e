// SPDX-License-Identifier: BSD-2-Clause
/*
 * The one way from this service to a driver. What would change a sector outside of Leat's partition
 * ends the process here, before the driver sees it. Portable.
 */
#ifndef STORAGE_GUARD_H
#define STORAGE_GUARD_H

#include "drivers/block/block.h"

struct guard {
    const struct block_driver *driver;
    void *state;
    unsigned unit;
    uint64_t first, sectors; /* that may be written; 0 sectors: none, the device is only read */
};

/* block_driver.submit(), whose results it has. Does not return when the command is a WRITE, a
   DISCARD or unknown, and does not lie in the range as a whole. */
int guard_submit(const struct guard *guard, struct block_command *command);

#endif
