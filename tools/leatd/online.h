// SPDX-License-Identifier: BSD-2-Clause
/* The machines that are on: what each boots and how far it is. docs/web.md. */
#ifndef LEATD_ONLINE_H
#define LEATD_ONLINE_H

#include "tools/leatd/request.h"

/* GET /api/v1/online, a list in the order of the clients' names. Inside of a transaction. */
enum db_result online_list(struct request *request);

#endif
