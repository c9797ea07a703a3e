// SPDX-License-Identifier: BSD-2-Clause
/* Blocks that did not verify, as machines count them in their reports (docs/server.md, "Hash trees"). */
#ifndef LEATD_LIES_H
#define LEATD_LIES_H

#include "tools/leatd/request.h"
#include "tools/leatd/session.h"

/*
 * An event for each disk of which the report tells more such blocks than the session's last one, as far as the client's limit
 * goes. report: the new one, an object; called before it is kept.
 */
enum db_result lies_note(struct request *request, const struct session *session,
                         const cJSON *report);

#endif
