// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/peer.h"

#include "tools/leatd/leatd.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

enum MHD_Result peer_may_connect(void *context, const struct sockaddr *address, socklen_t size)
{
    const struct leatd *leatd = context;
    char text[INET6_ADDRSTRLEN], network[INET6_ADDRSTRLEN];
    unsigned count = 0;
    (void)size;
    peer_print(address, text);
    limit_network(network, text);
    for (const struct peer *peer = leatd->peers; peer; peer = peer->next)
        count += !strcmp(peer->network, network);
    return count < PEER_CONNECTIONS ? MHD_YES : MHD_NO;
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

void peer_answered(struct MHD_Connection *connection)
{
    struct peer *peer = peer_of(connection);
    if (peer)
        peer->since = leatd_monotonic();
}

void peer_expire(struct leatd *leatd)
{
    int64_t oldest = leatd_monotonic() - leatd->config.request_term;
    for (struct peer *peer = leatd->peers; peer; peer = peer->next) {
        if (peer->since >= oldest)
            continue;
        // libmicrohttpd finds the end of the connection, and closes it.
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(peer->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
            shutdown(info->connect_fd, SHUT_RDWR);
        peer->since = INT64_MAX;
    }
}
