// SPDX-License-Identifier: BSD-2-Clause
/* What a new session may open: a disk for each assignment, its export names, its difference. */
#ifndef LEATD_OFFER_H
#define LEATD_OFFER_H

#include "tools/leatd/request.h"

/*
 * Makes the exports of the session and adds the disks, as docs/server.md shows them, to the array. Disks without a
 * published version are left out, with an event. Inside of a transaction.
 */
enum db_result offer_disks(struct request *request, const char *session, const char *client,
                           cJSON *disks);

#endif
