// SPDX-License-Identifier: BSD-2-Clause
/* Who writes a disk that a session has to wait for: its machine can say so, which NBD's refusal cannot. */
#ifndef LEATD_BUSY_H
#define LEATD_BUSY_H

#include "tools/leatd/db.h"

#include <cjson/cJSON.h>

struct leatd;

/* Adds "busy" to the answer: [{"disk", "holder"}, ...], the session's disks that another session writes now, eight at most;
   nothing if there are none. Inside of a transaction. */
enum db_result busy_add(struct leatd *leatd, const char *session, cJSON *answer);

#endif
