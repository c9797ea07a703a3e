// SPDX-License-Identifier: BSD-2-Clause
/* Leases: what the control socket's requests do (docs/server.md, "The control socket"). All inside of a transaction. */
#ifndef LEATD_LEASE_H
#define LEATD_LEASE_H

#include "tools/leatd/db.h"

#include <cjson/cJSON.h>

struct leatd;
struct config;

/* Each fills the answer, an empty object; a refusal is an answer too. */
enum db_result lease_open(struct leatd *leatd, const cJSON *request, cJSON *answer);
enum db_result lease_renew(struct leatd *leatd, const cJSON *request, cJSON *answer);
enum db_result lease_close(struct leatd *leatd, const cJSON *request, cJSON *answer);

/* Forgets those that have expired. */
enum db_result lease_sweep(struct leatd *leatd);

/*
 * Notes that leatd is alive. When it was away before (the caller knows that it was, or the database's last note says so):
 * sessions and leases of this server that lived when it was last alive get a whole term. Called every few seconds.
 */
enum db_result lease_alive(struct leatd *leatd, bool away);

/* Seconds without a note of being alive, after which leatd has been away: a quarter of a term at most, and three ticks. */
int64_t lease_away(const struct config *config);

#endif
