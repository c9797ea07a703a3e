// SPDX-License-Identifier: BSD-2-Clause
/* One request and its answer over HTTP: from libmicrohttpd's pieces to struct request, and back. */
#ifndef LEATD_EXCHANGE_H
#define LEATD_EXCHANGE_H

#include "tools/leatd/request.h"

#include <microhttpd.h>

/* What is kept with a connection of the clients' API: whom TLS was started for, and whether it came to a request. */
struct exchange_peer {
    char identity[64]; /* "" before TLS has named one */
    bool known, served;
};

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

/* The peer's address without its port, IPv4 as such. */
void exchange_address(struct MHD_Connection *connection, char address[INET6_ADDRSTRLEN]);

#endif
