// SPDX-License-Identifier: BSD-2-Clause
/* Blocks that did not verify, as machines count them in their reports (docs/server.md, "Hash trees"). */
#ifndef LEATD_LIES_H
#define LEATD_LIES_H

#include "tools/leatd/request.h"
#include "tools/leatd/session.h"

#define LIES_DISKS 64u /* of a report: LEAT_CLIENT_ENTRIES of include/leat/client.h */

struct lies_told {
    const char *disk; /* belongs to the report */
    double lies;
};

/* Those of the report's disks that have a name, and blocks that did not verify: the first LIES_DISKS, in its order. How many. */
unsigned lies_read(const cJSON *report, struct lies_told told[LIES_DISKS]);

/*
 * An event for each disk of which the report tells more such blocks than the session's last one, as far as the client's limit
 * goes. report: the new one, an object; called before it is kept.
 */
enum db_result lies_note(struct request *request, const struct session *session,
                         const cJSON *report);

#endif
