// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/cut.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

void cut_connection(const struct sockaddr_storage *peer, socklen_t length)
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
            shutdown(fd, SHUT_RDWR);
    }
    closedir(folder);
}
