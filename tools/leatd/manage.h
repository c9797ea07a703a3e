// SPDX-License-Identifier: BSD-2-Clause
/* What administrators do beyond create, change and remove. All inside of a transaction. */
#ifndef LEATD_MANAGE_H
#define LEATD_MANAGE_H

#include "tools/leatd/request.h"

/* DELETE of sessions (ends it) and differences (drops it): objects that change by themselves. */
bool manage_knows(const char *path);
enum db_result manage_remove(struct request *request, const char *path, const char *id);

/* POST: a new key for the client; DELETE: it has none any more. A session of it that lives ends. */
enum db_result manage_key(struct request *request, const char *client);

enum db_result manage_status(struct request *request);

#endif
