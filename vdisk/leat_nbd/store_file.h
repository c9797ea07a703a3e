// SPDX-License-Identifier: BSD-2-Clause
/*
 * The store's device on Linux: a file or a block device, worked by a few threads, so that a slow
 * fdatasync holds up nobody else. All functions here are for the one thread that runs the store.
 */
#ifndef LEAT_NBD_STORE_FILE_H
#define LEAT_NBD_STORE_FILE_H

#include "vdisk/store/store.h"

struct store_file;

/* Opens the file, which nobody else may have open this way (flock). size_bytes: a file that is
   smaller is made so large (sparse); 0: as it is. NULL: *why is one clear sentence in static
   memory. */
struct store_file *store_file_open(const char *path, uint64_t size_bytes, const char **why);
/* Waits for commands under way, without telling the store; the store must not run any more. */
void store_file_close(struct store_file *f);

uint64_t store_file_bytes(const struct store_file *f);
/* For store_create(); its log goes to stderr. */
const struct store_platform *store_file_platform(struct store_file *f);
/* Readable (POLLIN) when commands have ended: call store_file_deliver, then store_run. */
int store_file_event(const struct store_file *f);
void store_file_deliver(struct store_file *f);

#endif
