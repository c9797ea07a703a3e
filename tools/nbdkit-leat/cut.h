// SPDX-License-Identifier: BSD-2-Clause
/* nbdkit 1.32 has no call for a plugin that leads to a connection's socket, so it is looked up. */
#ifndef NBDKIT_LEAT_CUT_H
#define NBDKIT_LEAT_CUT_H

#include <stdbool.h>
#include <sys/socket.h>

/* Shuts down this process' sockets whose other ends are meant (IPv4 or IPv6; others have no name and are left alone), with one
   look at all files: each costs a call of the kernel, and there are thousands. Their owners find them at their end, and close
   them. `of` is the caller's, and handed on. */
typedef bool cut_is_meant(const struct sockaddr_storage *peer, socklen_t length, const void *of);
void cut_connections(cut_is_meant *is_meant, const void *of);
/* For all TCP connections that are accepted from now on, by the sockets that this process listens on: a machine that was
   switched off says nothing, and its connection ends when it has not been heard of for two minutes. */
void keep_alive(void);

#endif
