// SPDX-License-Identifier: BSD-2-Clause
/* When what the database may leave unsynced for a moment (db.h, db_may_lag) is synced, and has its rest: both take
   milliseconds in which nobody is served, so they are done while nobody wants to be. */
#ifndef LEATD_LAG_H
#define LEATD_LAG_H

#include <stdbool.h>
#include <stdint.h>

struct leatd;

/* How long the loop has had nothing to do when it syncs. */
#define LAG_QUIET_MS 10

/*
 * Once in a turn of the loop; now: leatd_monotonic's, in seconds. was_quiet: the loop has slept since the last time, as long
 * as it was told, and nothing has come. Syncs when it was quiet, from the second after the one in which this saw the database
 * lag; else when that one is over too. Calls db_rest when it was quiet. Returns how many milliseconds the loop may sleep, at
 * most the given.
 */
int lag_settle(struct leatd *leatd, int64_t now, bool was_quiet, int most);

#endif
