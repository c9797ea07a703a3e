// SPDX-License-Identifier: BSD-2-Clause
/*
 * The servers that share the database: each notes every few seconds that it is alive, and where its nbdkit is reached
 * (docs/server.md, "Several servers"). All inside of a transaction.
 */
#ifndef LEATD_SERVERS_H
#define LEATD_SERVERS_H

#include "tools/leatd/db.h"

#include <cjson/cJSON.h>

struct leatd;
struct config;

/*
 * Notes that this one is alive, and what has become of the others (leatd->has_others). When it was away before (the caller
 * knows that it was, or its last note says so), its sessions and leases that lived then get a whole term; when no server
 * was there, those of all do. Called every few seconds.
 */
enum db_result servers_alive(struct leatd *leatd, bool away);

/* Seconds without a note of being alive, after which a server has been away: a quarter of a term at most, and three ticks. */
int64_t servers_away(const struct config *config);

/* Seconds without a note, after which the others take a server for dead. */
int64_t servers_lost(const struct config *config);

/* Adds the addresses of all that are alive to an array, CONFIG_SERVERS at most: each client begins with another one. */
enum db_result servers_offer(struct leatd *leatd, const char *client, cJSON *addresses);

/* Adds all that are known to an array of objects: name, alive (when), lost, addresses. */
enum db_result servers_show(struct leatd *leatd, cJSON *list);

#endif
