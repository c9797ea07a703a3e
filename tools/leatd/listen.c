// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/listen.h"

#include "tools/leatd/leatd.h"
#include "tools/leatd/peer.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Turns of the loop; in each, all who are connected are served. */
#define MOST_PASSED 16u

/* One more is taken at once for so many who have shown nothing yet: each turn costs something for each of them, and of a flood of
   those who never will, whoever is honest is among the last. */
#define STRANGERS_EACH 16u

static int open_socket(const struct sockaddr_storage *address)
{
    int on = 1;
    socklen_t size =
        address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int file = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (file < 0)
        return -1;
    // a leatd that is started again has its address at once, whatever of the old one's connections is still closing
    if (!setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) &&
        (address->ss_family != AF_INET6 ||
         !setsockopt(file, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)) &&
        !bind(file, (const struct sockaddr *)address, size) && !listen(file, SOMAXCONN))
        return file;
    close(file);
    return -1;
}

bool listen_open(struct leatd *leatd, char *error)
{
    leatd->listen.file = open_socket(&leatd->config.client);
    if (leatd->listen.file < 0)
        snprintf(error, CONFIG_ERROR_BYTES,
                 "the clients' API cannot be served: is its port in use?");
    return leatd->listen.file >= 0;
}

void listen_close(struct leatd *leatd)
{
    if (leatd->listen.file >= 0)
        close(leatd->listen.file);
    leatd->listen.file = -1;
}

static bool is_full(const struct leatd *leatd)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(leatd->client_daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info && leatd->connections && info->num_connections >= leatd->connections;
}

int listen_file(const struct leatd *leatd)
{
    return leatd->listen.rests > leatd_monotonic() || is_full(leatd) ? -1 : leatd->listen.file;
}

static bool take_one(struct leatd *leatd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int file =
        accept4(leatd->listen.file, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (file >= 0)
        MHD_add_connection(leatd->client_daemon, file, (struct sockaddr *)&peer, size);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
        leatd->listen.rests = leatd_monotonic() + 1;
    return file >= 0;
}

void listen_take(struct leatd *leatd)
{
    if (listen_file(leatd) < 0 ||
        (++leatd->listen.passed < MOST_PASSED && pace_has_news(leatd->client_daemon)))
        return;
    leatd->listen.passed = 0;
    unsigned most = 1 + peer_strangers(leatd) / STRANGERS_EACH;
    for (unsigned i = 0; i < most && listen_file(leatd) >= 0 && take_one(leatd); i++)
        ;
}
