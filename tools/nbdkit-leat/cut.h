// SPDX-License-Identifier: BSD-2-Clause
/* nbdkit 1.32 has no call for a plugin that leads to a connection's socket, so it is looked up. */
#ifndef NBDKIT_LEAT_CUT_H
#define NBDKIT_LEAT_CUT_H

#include <sys/socket.h>

/* Shuts down this process' socket whose other end is peer (IPv4 or IPv6; others have no name and are left alone). Its
   owner finds it at its end, and closes it. */
void cut_connection(const struct sockaddr_storage *peer, socklen_t length);
/* A machine that was switched off says nothing: the connection ends when it has not been heard of for two minutes. */
void keep_alive(const struct sockaddr_storage *peer, socklen_t length);

#endif
