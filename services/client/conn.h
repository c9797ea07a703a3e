// SPDX-License-Identifier: BSD-2-Clause
/* Connections of the client's platform: TLS over net's channel, by one of two keys. */
#ifndef SERVICES_CLIENT_CONN_H
#define SERVICES_CLIENT_CONN_H

#include "client/platform.h"
#include "services/client/keys.h"
#include "vdisk/net/net_conn.h"

/* Both stay. */
void conns_begin(struct net_conns *net, const struct keys *keys);

/* What struct client_platform asks for. */
void *conn_open(void *ctx, const char *host, uint16_t port, enum client_identity identity);
enum client_conn_state conn_state(void *ctx, void *conn, const char **why);
size_t conn_send(void *ctx, void *conn, const void *data, size_t size);
size_t conn_receive(void *ctx, void *conn, void *data, size_t size);
void conn_close(void *ctx, void *conn);

#endif
