// SPDX-License-Identifier: BSD-2-Clause
/* A request's answer into libmicrohttpd: JSON, bytes, or a file in pieces, so that no large one holds up the others. */
#ifndef LEATD_REPLY_H
#define LEATD_REPLY_H

#include "tools/leatd/request.h"

#include <microhttpd.h>

/* Queues the answer; takes its bytes or its descriptor from the request. */
enum MHD_Result reply(struct MHD_Connection *connection, struct request *request);

#endif
