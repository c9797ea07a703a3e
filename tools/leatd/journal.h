// SPDX-License-Identifier: BSD-2-Clause
/* The two logs: what has happened (events) and what administrators have changed (audit). Never a key or token. */
#ifndef LEATD_JOURNAL_H
#define LEATD_JOURNAL_H

#include "tools/leatd/request.h"

/* Also a line on standard error, once it is kept. client is a UUID or NULL. Inside of a transaction. */
enum db_result journal_event(struct leatd *leatd, const char *kind, const char *client,
                             const char *address, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/*
 * An event of the kind "refused", of a transaction that changes nothing else: it may lag (db.h), so that who is refused again
 * and again does not keep the disk busy.
 */
enum db_result journal_refused(struct leatd *leatd, const char *client, const char *address,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* before and after may be NULL; they are printed as JSON and stay the caller's. Inside of a transaction. */
enum db_result journal_audit(const struct request *request, const char *action, const char *object,
                             const cJSON *before, const cJSON *after);

/* Drops events above JOURNAL_EVENTS, the oldest first. Inside of a transaction. */
#define JOURNAL_EVENTS 100000
enum db_result journal_trim(struct leatd *leatd);

#endif
