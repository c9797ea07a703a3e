// SPDX-License-Identifier: BSD-2-Clause
/* leat-nbd's local store: opened or made in a file or block device before anything else is done. */
#ifndef LEAT_NBD_LOCAL_STORE_H
#define LEAT_NBD_LOCAL_STORE_H

#include "vdisk/leat_nbd/options.h"

struct store;

/* Waits until the store is open. NULL: none was asked for, or it is damaged, which has been said. Ends
   the program when the file cannot be used as the command line wants it. */
struct store *local_store_open(const struct options *o);
/* For poll(2): readable when the device has done something; -1: there is no store. */
int local_store_event(void);
void local_store_deliver(void);

#endif
