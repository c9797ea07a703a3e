// SPDX-License-Identifier: BSD-2-Clause
/* A client that is on: hello, renew, bye, and how sessions end. All inside of a transaction. */
#ifndef LEATD_SESSION_H
#define LEATD_SESSION_H

#include "tools/leatd/request.h"

/* The client's API (docs/server.md); request->identity is who TLS has shown the client to be. */
enum db_result session_hello(struct request *request);
enum db_result session_renew(struct request *request);
enum db_result session_bye(struct request *request);

#define SESSION_OLD_KEY "the key that the connection was made with is worth nothing any more"

/* Until when the session lives from now on, and how often to renew it. */
void session_add_terms(struct request *request, cJSON *answer);

struct session {
    char id[32], client[40], name[64];
};

/* The living session of the request's token; found false with a refusal. */
enum db_result session_find(struct request *request, struct session *session, bool *found);

/* Ends it: its exports and leases go with it. */
enum db_result session_end(struct leatd *leatd, const char *id, const char *why);

/*
 * The session of the request's token, which has expired and may live again (docs/server.md, "What a start needs"), does so, with
 * its exports. Any other stays as it is.
 */
enum db_result session_revive(struct request *request);
#define SESSION_KEPT 86400 /* seconds in which it may */

/* The same of what silence has ended, but its exports are kept for session_revive. */
enum db_result session_expire(struct leatd *leatd, const char *id);
/* Forgets the exports of those that may not any more. */
enum db_result session_forget_kept(struct leatd *leatd);
#define SESSION_SILENT "nothing was heard of it any more"

/* Ends those that nobody has renewed in time. */
enum db_result session_sweep(struct leatd *leatd);

/* Forgets ended sessions above SESSION_ENDED, the oldest first, and the reports of those above SESSION_REPORTS. */
#define SESSION_ENDED 10000
#define SESSION_REPORTS 1000
enum db_result session_trim(struct leatd *leatd);

#endif
