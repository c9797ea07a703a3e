// SPDX-License-Identifier: BSD-2-Clause
/*
 * The local store of the service: from the start entry "store" (services/supervisor/README.md) to a store
 * that the engine can use. One for the process.
 */
#ifndef VDISK_SERVICE_LOCAL_DISK_H
#define VDISK_SERVICE_LOCAL_DISK_H

#include "lib/loop.h"
#include "lib/start.h"
#include "vdisk/store/store.h"

/* clock: now_ns, random and log of it are used. woken: what the loop calls for its signals. Without the
   entry it is decided at once that there is no store. */
void local_disk_begin(struct leat_loop *loop, leat_loop_fn woken,
                      const struct store_platform *clock);

/* Takes what the disk has done. Before the store is run. */
void local_disk_run(void);

/* Whether there is a store is known. Until then no disk can be started. */
bool local_disk_is_decided(void);

/* The store, open; NULL: there is none. It may have failed meanwhile (store_get_info). */
struct store *local_disk_store(void);

/* A command was sent or has ended since the last local_disk_flush. */
bool local_disk_has_moved(void);

/* Wakes the storage service if it is to be woken. */
void local_disk_flush(void);

/* Announces that this side sleeps. False: there is work. */
bool local_disk_may_sleep(void);

/* The storage service of that cookie is gone, and its channel given back; another one comes
   (local_disk_attach), or none. False: another cookie. */
bool local_disk_detach(uint64_t cookie, bool comes_again);

/* The channel of the storage service that was started again. False: none is waited for, or it makes no
   sense; then the disk is gone. */
bool local_disk_attach(const struct leat_start_entry *entry);

/* One line for people: "local store: 12 of 63 MiB used, ...". Returns its length; 0: there is none. */
size_t local_disk_line(char *line, size_t size);

#endif
