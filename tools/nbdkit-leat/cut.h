// SPDX-License-Identifier: BSD-2-Clause
/* nbdkit 1.32 has no call for a plugin to end a connection, so its socket is looked up and shut down. */
#ifndef NBDKIT_LEAT_CUT_H
#define NBDKIT_LEAT_CUT_H

#include <sys/socket.h>

/* Shuts down this process' socket whose other end is peer (IPv4 or IPv6; others have no name and are left alone). Its
   owner finds it at its end, and closes it. */
void cut_connection(const struct sockaddr_storage *peer, socklen_t length);

#endif
