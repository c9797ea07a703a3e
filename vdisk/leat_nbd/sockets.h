// SPDX-License-Identifier: BSD-2-Clause
/* The engine's platform on Linux: TCP and Unix sockets under poll(2). Names are resolved when a
 * connection is made, which may block. */
#ifndef VDISK_LEAT_NBD_SOCKETS_H
#define VDISK_LEAT_NBD_SOCKETS_H

#include <poll.h>
#include <stdbool.h>

#include "vdisk/platform.h"
#include "vdisk/tls/tls.h"

#define SOCKETS_MAX 16

extern const struct vdisk_platform
    sockets_platform; /* a host that starts with '/' is a Unix socket */

/* TLS by these keys, for the configuration of a disk; its `start` is sockets_tls_start. */
struct sockets_tls {
    struct vdisk_tls base;
    const struct tls_keys *keys;
};
const char *sockets_tls_start(const struct vdisk_tls *tls, void *conn, const char *server_name);

/* Fills pollfds (room for SOCKETS_MAX) with what to wait for; how many. */
int sockets_poll_set(struct pollfd *fds);
/* True: sockets_deliver has something to tell, so poll must not sleep. */
bool sockets_have_news(void);
/* Delivers what poll found and what was noticed meanwhile. fds: as filled, after poll. */
void sockets_deliver(const struct pollfd *fds, int count);

#endif
