// SPDX-License-Identifier: BSD-2-Clause
/* Leases: what the control socket's requests do (docs/server.md, "The control socket"). All inside of a transaction. */
#ifndef LEATD_LEASE_H
#define LEATD_LEASE_H

#include "tools/leatd/db.h"

#include <cjson/cJSON.h>

struct leatd;

/* Each fills the answer, an empty object; a refusal is an answer too. */
enum db_result lease_open(struct leatd *leatd, const cJSON *request, cJSON *answer);
enum db_result lease_renew(struct leatd *leatd, const cJSON *request, cJSON *answer);
enum db_result lease_close(struct leatd *leatd, const cJSON *request, cJSON *answer);

/* Forgets those that have expired. */
enum db_result lease_sweep(struct leatd *leatd);

#endif
