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

static void find(const struct sockaddr_storage *peer, socklen_t length, void (*found)(int fd))
{
    if (peer->ss_family != AF_INET && peer->ss_family != AF_INET6)
        return;
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct sockaddr_storage other;
        socklen_t size = sizeof other;
        int fd = atoi(entry->d_name); /* "." and ".." are 0, which is no socket of a client's */
        if (fd > 2 && !getpeername(fd, (struct sockaddr *)&other, &size) && size == length &&
            !memcmp(&other, peer, length))
            found(fd);
    }
    closedir(folder);
}

static void cut(int fd)
{
    shutdown(fd, SHUT_RDWR);
}

void cut_connection(const struct sockaddr_storage *peer, socklen_t length)
{
    find(peer, length, cut);
}

static void watch(int fd)
{
    static const int on = 1, idle = IDLE_SECONDS, every = PROBE_SECONDS, probes = PROBES;
    static const unsigned unsent = (IDLE_SECONDS + PROBES * PROBE_SECONDS) * 1000; /* ms, tcp(7) */
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unsent, sizeof unsent);
}

void keep_alive(const struct sockaddr_storage *peer, socklen_t length)
{
    find(peer, length, watch);
}
