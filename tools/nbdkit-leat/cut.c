// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/cut.h"

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_SECONDS 60
#define PROBE_SECONDS 10
#define PROBES 6

struct choice {
    cut_is_meant *is_meant;
    const void *of;
};

static void each_file(void (*found)(int fd, const struct choice *choice),
                      const struct choice *choice)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        int fd = atoi(entry->d_name); /* "." and ".." are 0, which is no socket of a client's */
        if (fd > 2)
            found(fd, choice);
    }
    closedir(folder);
}

static bool has_name(const struct sockaddr_storage *peer)
{
    return peer->ss_family == AF_INET || peer->ss_family == AF_INET6;
}

static void cut(int fd, const struct choice *choice)
{
    struct sockaddr_storage other;
    socklen_t size = sizeof other;
    if (!getpeername(fd, (struct sockaddr *)&other, &size) && has_name(&other) &&
        choice->is_meant(&other, size, choice->of))
        shutdown(fd, SHUT_RDWR);
}

void cut_connections(cut_is_meant *is_meant, const void *of)
{
    const struct choice choice = {is_meant, of};
    each_file(cut, &choice);
}

/* What is accepted has the options of the socket that it was accepted from (tcp(7)). */
static void watch(int fd, const struct choice *choice)
{
    int listens = 0, domain = 0;
    socklen_t size = sizeof listens;
    (void)choice;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) || !listens ||
        getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) ||
        (domain != AF_INET && domain != AF_INET6))
        return;
    static const int on = 1, idle = IDLE_SECONDS, every = PROBE_SECONDS, probes = PROBES;
    static const unsigned unsent = (IDLE_SECONDS + PROBES * PROBE_SECONDS) * 1000; /* ms, tcp(7) */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent, sizeof unsent);
}

void keep_alive(void)
{
    each_file(watch, NULL);
}
