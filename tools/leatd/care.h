// SPDX-License-Identifier: BSD-2-Clause
/*
 * What expires, and that nothing does because leatd was away: killed, stopped, without its database, or with a clock that was
 * set. Expiry is judged by the wall clock, so whoever judges has to know that leatd has been there all the time until now.
 */
#ifndef LEATD_CARE_H
#define LEATD_CARE_H

#include "tools/leatd/db.h"

struct leatd;

/*
 * db_transact for all that judges what has expired. When sessions and leases were last looked after longer ago than
 * servers_away, by either clock, that comes first, in the same transaction: what lived then gets a whole term more. What body
 * counts by limit_take is counted once, however often it is repeated, and its events only if they are kept.
 */
enum db_result care_transact(struct leatd *leatd, enum db_result (*body)(void *context),
                             void *context);

/* Looks after sessions and leases, and removes what has ended. Called at leatd->next_tick, which it sets. */
void care_tick(struct leatd *leatd);

#endif
