// SPDX-License-Identifier: BSD-2-Clause
/*
 * How many connections there are, and of each address: from before the handshake on, which nbdkit's filters do not see
 * (its limit filter counts those that have an export open), to the end of the connection's thread.
 */
#ifndef NBDKIT_LEAT_PEERS_H
#define NBDKIT_LEAT_PEERS_H

#include <stdbool.h>

#define PEER_NAME 64u

/* Once, when the process is the one that serves. Raises the number of files that it may have open as far as it is
   allowed to; all connections together are as many as that has room for. each: of one address; 0: no bound. */
void peers_init(unsigned each);
/* Counts the calling thread's connection, until that thread ends. address: "" is a Unix socket, which counts for the whole alone.
   NULL: it may be served; else one sentence why not. */
const char *peers_enter(const char *address);

#endif
