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

/* Strangers of one IPv4 address, or one IPv6 network of 64 bits, to both APIs. */
#define PEER_CONNECTIONS 64u

/* Of one machine that has shown its key. It needs one; those of before it was reset stay until they are found to be idle. */
#define PEER_OF_MACHINE 8u

/* So many of an API's leatd->connections are kept free. For a new one a stranger goes, else a machine or an administrator who has
   nothing under way: the one that has been idle longest, of the network that has most of them. */
#define PEER_SPARE(connections) ((connections) / 8 + 1)

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
    bool is_client; /* connected to the clients' API */
    bool is_asking; /* a request of it is under way */
    bool
        is_trusted; /* has shown a client's key, or an administrator's token: not in the way of others */
};

/* NULL before the connection has begun, or without memory. */
struct peer *peer_of(const struct MHD_Connection *connection);

/* MHD_AcceptPolicyCallback of the administrators' API, and of the clients'; the context is struct leatd. */
enum MHD_Result peer_may_connect(void *leatd, const struct sockaddr *address, socklen_t size);
enum MHD_Result peer_client_may_connect(void *leatd, const struct sockaddr *address,
                                        socklen_t size);

/* For MHD_NotifyConnectionCallback: to begin with, and at the end. */
struct peer *peer_begin(struct leatd *leatd, struct MHD_Connection *connection);
void peer_end(struct peer *peer);

/* A request of it has begun, and was answered. */
void peer_asks(struct MHD_Connection *connection);
void peer_answered(struct MHD_Connection *connection);

/* It waits for leatd itself: its time does not run until it goes on. One that is under way gets its time again then. */
void peer_rests(struct MHD_Connection *connection);
void peer_goes_on(struct MHD_Connection *connection);

/* It has shown who it is. A machine that has PEER_OF_MACHINE loses the oldest for it, whatever is under way there. */
void peer_trust(struct leatd *leatd, struct MHD_Connection *connection);

/* How many are connected to the clients' API and have shown nothing yet. */
unsigned peer_strangers(const struct leatd *leatd);

/* Ends the connections whose time is over. */
void peer_expire(struct leatd *leatd);

/* The address without its port, IPv4 as such; "unknown" of another family. */
void peer_print(const struct sockaddr *address, char text[INET6_ADDRSTRLEN]);

#endif
