// SPDX-License-Identifier: BSD-2-Clause
/* The engine's platform on Linux: TCP and Unix sockets under poll(2). Names are resolved when a
 * connection is made, which may block. */
#ifndef VDISK_LEAT_NBD_SOCKETS_H
#define VDISK_LEAT_NBD_SOCKETS_H

#include <poll.h>
#include <stdbool.h>

#include "vdisk/platform.h"

#define SOCKETS_MAX 16

extern const struct vdisk_platform
    sockets_platform; /* a host that starts with '/' is a Unix socket */

/* Fills pollfds (room for SOCKETS_MAX) with what to wait for; how many. */
int sockets_poll_set(struct pollfd *fds);
/* True: sockets_deliver has something to tell, so poll must not sleep. */
bool sockets_have_news(void);
/* Delivers what poll found and what was noticed meanwhile. fds: as filled, after poll. */
void sockets_deliver(const struct pollfd *fds, int count);

#endif
