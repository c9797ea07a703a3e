// SPDX-License-Identifier: BSD-2-Clause
/*
 * Files of the image folder that an import has brought, or is about to, and that no version has yet: rows of their own. A version
 * takes its files' rows away in the transaction that makes it; what has a row and is left alone for a day is removed (clean.h),
 * and so is what DELETE /api/v1/files/NAME names. So nothing that a version has can be removed, whoever else is under way.
 *
 * A row that is to be removed has one remover, which alone removes the files and forgets the row: a process (server.instance),
 * and there its cleaning (dropping 1) or one request (dropping 2). Until then the name can be claimed by nobody. Others take over
 * from a process that is lost. All inside of a transaction but brought_hold and brought_holds.
 */
#ifndef LEATD_BROUGHT_H
#define LEATD_BROUGHT_H

#include "tools/leatd/request.h"

#define BROUGHT_KEPT 86400 /* seconds */

/*
 * The name is an import's from now on, or still; nothing has it yet. whole: also the whole file will be the import's, whoever
 * puts it there. False with a refusal (it is being removed), or with *result other than DB_OK.
 */
bool brought_claim(struct request *request, const char *name, bool whole, enum db_result *result);

/* An import goes on with it, if it is one's. False as above. */
bool brought_touch(struct request *request, const char *name, enum db_result *result);

/* Whether a whole file of that name is the import's. */
enum db_result brought_set_whole(struct leatd *leatd, const char *name, bool whole);

/* Whether the name is one. */
enum db_result brought_is(struct leatd *leatd, const char *name, bool *is);

/*
 * A version has the file now; NULL is nothing. was_brought is what brought_is has said before the file was looked at: one that
 * is an import's no more has been removed meanwhile. False as above, and nothing of the transaction may be kept.
 */
bool brought_keep(struct request *request, const char *name, bool was_brought,
                  enum db_result *result);

/* How long a process may go on with what it has found to be its own to remove: not until others may have taken it over. */
struct brought_hold {
    int64_t wall, monotonic, seconds;
};
struct brought_hold brought_hold(const struct leatd *leatd);
bool brought_holds(const struct brought_hold *hold); /* in any thread */

struct brought_drop {
    bool found;   /* it was brought, no version has it, and the caller is to remove it */
    bool is_busy; /* somebody removes it already */
    bool whole;   /* with found: a whole file too */
};

/* The file is to be removed by the caller. */
enum db_result brought_drop(struct leatd *leatd, const char *name, struct brought_drop *drop);

/* The caller has removed it, a whole file too or not; what has become whole meanwhile, or failed, is left to the cleaning. */
enum db_result brought_forget(struct leatd *leatd, const char *name, bool whole);
enum db_result brought_leave(struct leatd *leatd, const char *name);

/* Drops those that have been left alone: they are the cleaning's. */
enum db_result brought_trim(struct leatd *leatd);

/* The cleaning's are also those of lost processes, and of requests that have ended (leatd->drops) before they could forget. */
enum db_result brought_take_over(struct leatd *leatd);

#endif
