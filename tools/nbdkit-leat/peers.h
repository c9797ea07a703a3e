// SPDX-License-Identifier: BSD-2-Clause
/*
 * How many connections there are, and of each address: from before the handshake on, which nbdkit's filters do not see
 * (its limit filter counts those that have an export open), to the end of the connection's thread. And how long a
 * handshake takes, for which nbdkit has no bound: a thread cuts those that have not opened an export in time, those that are
 * named, and, within a second, all when nbdkit has got SIGTERM.
 */
#ifndef NBDKIT_LEAT_PEERS_H
#define NBDKIT_LEAT_PEERS_H

#include <stdbool.h>
#include <sys/socket.h>

#define PEER_NAME 64u

/* Once, when the process is the one that serves. Raises the number of files that it may have open as far as it is
   allowed to; all connections together are as many as that has room for. each: of one address; 0: no bound. handshake:
   seconds; 0: no bound. False: there is no thread for it. */
bool peers_init(unsigned each, unsigned handshake);
/* How many connections there may be at the same time; after peers_init. */
unsigned peers_most(void);
/* When nobody is served any more. SIGTERM is nbdkit's own again: what is called then may not be in a plugin that is unloaded. */
void peers_end(void);
/* nbdkit has got SIGTERM, and all connections are cut. */
bool peers_are_quitting(void);
/* Counts the calling thread's connection, until that thread ends. name: of its address; "" is a Unix socket, which counts for
   the whole alone. NULL: it may be served; else one sentence why not. */
const char *peers_enter(const char *name, const struct sockaddr_storage *address, socklen_t length);
/* The calling thread's connection; it stays as long as that thread. NULL: it was not counted. */
struct visit;
struct visit *peers_visit(void);
/* Cuts it, in a moment, if it is a TCP connection: with one look at the process' files for all that are to be cut by then.
   Takes no lock. NULL: nothing. */
void peers_cut(struct visit *visit);
/* Waits until one that peers_cut was called for is cut: what is said to it then is not heard. */
void peers_await_cut(struct visit *visit);
/* The calling thread's connection wants an export: its handshake is over. */
void peers_shook_hands(void);

#endif
