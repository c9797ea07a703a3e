// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/peer.h"

#include "tools/leatd/leatd.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RESTS (INT64_MAX - 1) // `since` of one that waits for leatd
#define CUT INT64_MAX         // and of one whose connection is about to be closed
#define BUCKETS 256u          // of networks

struct peer *peer_of(const struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        (struct MHD_Connection *)(uintptr_t)connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void peer_print(const struct sockaddr *address, char text[INET6_ADDRSTRLEN])
{
    strcpy(text, "unknown");
    if (address && address->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                  INET6_ADDRSTRLEN);
    } else if (address && address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(six);
        inet_ntop(mapped ? AF_INET : AF_INET6, mapped ? &six->s6_addr[12] : six->s6_addr, text,
                  INET6_ADDRSTRLEN);
    }
}

/* libmicrohttpd finds the end of the connection, and closes it. */
static void cut(struct peer *peer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(peer->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info)
        shutdown(info->connect_fd, SHUT_RDWR);
    peer->since = CUT;
}

static unsigned bucket_of(const struct peer *peer)
{
    unsigned hash = 0;
    for (const char *c = peer->network; *c; c++)
        hash = hash * 31 + (unsigned char)*c;
    return hash % BUCKETS;
}

/* Is it one that may be cut for another? Of those who are trusted only who has nothing under way: a machine keeps its connection
   for its next renewal, and makes another one when it has gone. */
static bool may_go(const struct peer *peer, bool is_client, bool is_trusted)
{
    return peer->is_client == is_client && peer->is_trusted == is_trusted && peer->since < RESTS &&
           !(is_trusted && peer->is_asking);
}

/* Whom to cut: of the network that has most of them, who has been idle longest. NULL: there are none. */
static struct peer *find_idle(struct leatd *leatd, bool is_client, bool is_trusted)
{
    unsigned counts[BUCKETS] = {0}, most = 0;
    struct peer *found = NULL;
    for (struct peer *p = leatd->peers; p; p = p->next)
        if (may_go(p, is_client, is_trusted) && ++counts[bucket_of(p)] > most)
            most = counts[bucket_of(p)];
    for (struct peer *p = leatd->peers; p; p = p->next) // the newest first
        if (may_go(p, is_client, is_trusted) && counts[bucket_of(p)] == most &&
            (!found || p->since <= found->since))
            found = p;
    return found;
}

static bool make_room(struct leatd *leatd, bool is_client)
{
    unsigned count = 0;
    for (const struct peer *peer = leatd->peers; peer; peer = peer->next)
        count += peer->is_client == is_client && peer->since != CUT;
    if (!leatd->connections || count < leatd->connections - PEER_SPARE(leatd->connections))
        return true;
    struct peer *idle = find_idle(leatd, is_client, false);
    if (!idle)
        idle = find_idle(leatd, is_client, true);
    if (idle)
        cut(idle);
    return idle;
}

static enum MHD_Result may_connect(struct leatd *leatd, const struct sockaddr *address,
                                   bool is_client)
{
    char text[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN];
    unsigned strangers = 0;
    peer_print(address, text);
    limit_network(network, text);
    for (const struct peer *peer = leatd->peers; peer; peer = peer->next)
        strangers += !peer->is_trusted && !strcmp(peer->network, network);
    return strangers < PEER_CONNECTIONS && make_room(leatd, is_client) ? MHD_YES : MHD_NO;
}

enum MHD_Result peer_may_connect(void *leatd, const struct sockaddr *address, socklen_t size)
{
    (void)size;
    return may_connect(leatd, address, false);
}

enum MHD_Result peer_client_may_connect(void *leatd, const struct sockaddr *address, socklen_t size)
{
    (void)size;
    return may_connect(leatd, address, true);
}

struct peer *peer_begin(struct leatd *leatd, struct MHD_Connection *connection)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    peer_print(info ? info->client_addr : NULL, peer->address);
    limit_network(peer->network, peer->address);
    peer->connection = connection;
    peer->since = leatd_monotonic();
    const union MHD_ConnectionInfo *daemon =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
    peer->is_client = daemon && daemon->daemon == leatd->client_daemon;
    peer->back = &leatd->peers;
    peer->next = leatd->peers;
    if (peer->next)
        peer->next->back = &peer->next;
    leatd->peers = peer;
    return peer;
}

void peer_end(struct peer *peer)
{
    if (!peer)
        return;
    *peer->back = peer->next;
    if (peer->next)
        peer->next->back = peer->back;
    free(peer);
}

void peer_asks(struct MHD_Connection *connection)
{
    struct peer *peer = peer_of(connection);
    if (peer)
        peer->is_asking = true;
}

void peer_answered(struct MHD_Connection *connection)
{
    struct peer *peer = peer_of(connection);
    if (peer)
        peer->is_asking = false;
    peer_goes_on(connection);
}

void peer_goes_on(struct MHD_Connection *connection)
{
    struct peer *peer = peer_of(connection);
    if (peer && peer->since != CUT)
        peer->since = leatd_monotonic();
}

void peer_rests(struct MHD_Connection *connection)
{
    struct peer *peer = peer_of(connection);
    if (peer && peer->since != CUT)
        peer->since = RESTS;
}

unsigned peer_strangers(const struct leatd *leatd)
{
    unsigned count = 0;
    for (const struct peer *peer = leatd->peers; peer; peer = peer->next)
        count += peer->is_client && !peer->is_trusted;
    return count;
}

/* Of the connections that a machine has already, the one that was answered longest ago; NULL: they are few. */
static struct peer *find_surplus(struct leatd *leatd, const char *identity)
{
    unsigned count = 0;
    struct peer *found = NULL;
    for (struct peer *p = leatd->peers; p; p = p->next) { // the newest first
        if (!p->is_client || !p->is_trusted || p->since == CUT || strcmp(p->identity, identity))
            continue;
        count++;
        if (!found || p->since <= found->since)
            found = p;
    }
    return count < PEER_OF_MACHINE ? NULL : found;
}

void peer_trust(struct leatd *leatd, struct MHD_Connection *connection)
{
    struct peer *peer = peer_of(connection);
    if (!peer || peer->is_trusted)
        return;
    struct peer *surplus = peer->is_client ? find_surplus(leatd, peer->identity) : NULL;
    if (surplus)
        cut(surplus);
    peer->is_trusted = true;
}

void peer_expire(struct leatd *leatd)
{
    int64_t oldest = leatd_monotonic() - leatd->config.request_term;
    for (struct peer *peer = leatd->peers; peer; peer = peer->next)
        if (peer->since < oldest)
            cut(peer);
}
