// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who is connected to the two APIs. A host that has shown nothing yet gets little: PEER_CONNECTIONS at once, and [times] request
 * seconds from connecting, or from the last answer, until its next request is answered, however busy it looks in between.
 */
#ifndef LEATD_PEER_H
#define LEATD_PEER_H

#include "tools/leatd/secret.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct leatd;

#define PEER_CONNECTIONS 64u /* of one IPv4 address, or one IPv6 network of 64 bits, to both APIs */

/* Kept with a connection from its first moment to its last: MHD_CONNECTION_INFO_SOCKET_CONTEXT. */
struct peer {
    struct peer *next, **back; /* of all */
    struct MHD_Connection *connection;
    char address[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN];
    int64_t since; /* monotonic: when it connected, or was last answered */
    char identity
        [64]; /* of the clients' API: whom TLS was started for; "" before it has named one */
    char key_hash[HASH_BYTES]; /* of the key that TLS was started with, as text */
    bool known, served;
};

/* NULL before the connection has begun, or without memory. */
struct peer *peer_of(const struct MHD_Connection *connection);

/* MHD_AcceptPolicyCallback; its context is struct leatd. */
enum MHD_Result peer_may_connect(void *leatd, const struct sockaddr *address, socklen_t size);

/* For MHD_NotifyConnectionCallback: to begin with, and at the end. */
struct peer *peer_begin(struct leatd *leatd, struct MHD_Connection *connection);
void peer_end(struct peer *peer);

/* A request of it has been answered. */
void peer_answered(struct MHD_Connection *connection);

/* Ends the connections whose time is over. */
void peer_expire(struct leatd *leatd);

/* The address without its port, IPv4 as such; "unknown" of another family. */
void peer_print(const struct sockaddr *address, char text[INET6_ADDRSTRLEN]);

#endif
