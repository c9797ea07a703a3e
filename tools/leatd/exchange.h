// SPDX-License-Identifier: BSD-2-Clause
/* One request and its answer over HTTP: from libmicrohttpd's pieces to struct request, and back. */
#ifndef LEATD_EXCHANGE_H
#define LEATD_EXCHANGE_H

#include "tools/leatd/request.h"

#include <microhttpd.h>

struct exchange;

/* MHD_AccessHandlerCallback for both APIs; its context is struct leatd. */
enum MHD_Result exchange_admin(void *leatd, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **exchange);
enum MHD_Result exchange_client(void *leatd, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **exchange);

/* MHD_RequestCompletedCallback: frees the exchange. */
void exchange_done(void *leatd, struct MHD_Connection *connection, void **exchange,
                   enum MHD_RequestTerminationCode code);

#endif
