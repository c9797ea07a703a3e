// SPDX-License-Identifier: BSD-2-Clause
/*
 * Connections that may be turned over to TLS, over those of net_conn.h: what the service's platform gives
 * to the engine. Portable.
 */
#ifndef VDISK_NET_SECURE_CONN_H
#define VDISK_NET_SECURE_CONN_H

#include "vdisk/net/net_conn.h"
#include "vdisk/tls/tls.h"

/* TLS by these keys, for the configuration of a disk; its `start` is secure_conn_start. */
struct secure_tls {
    struct vdisk_tls base;
    struct tls_keys *keys;
};
const char *secure_conn_start(const struct vdisk_tls *tls, void *conn, const char *server_name);

/* connect, close, send and receive of struct vdisk_platform; there is one struct net_conns a process. */
void *secure_conn_open(struct net_conns *n, const char *host, uint16_t port,
                       const struct vdisk_conn_events *events, void *owner);
void secure_conn_close(void *conn);
size_t secure_conn_send(void *conn, const void *data, size_t size);
size_t secure_conn_receive(void *conn, void *data, size_t size);
bool secure_conn_is_refused(const void *conn); /* tls_is_refused */

/* After net_conns_run: goes on with handshakes, one step at a time, and tells the engine of those that have failed.
 * True: there is another step to do, at once. */
bool secure_conns_run(void);

#endif
