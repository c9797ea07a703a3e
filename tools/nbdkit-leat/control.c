// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/control.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int fd = -1;

bool control_init(const char *path)
{
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    strcpy(address.sun_path, path);
    return true;
}

static void hang_up(void)
{
    if (fd >= 0)
        close(fd);
    fd = -1;
}

static bool dial(void)
{
    struct timeval limit = {.tv_sec = CONTROL_SECONDS};
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (!connect(fd, (struct sockaddr *)&address, sizeof address))
        return true;
    hang_up();
    return false;
}

static bool send_all(const char *line, size_t length)
{
    while (length) {
        ssize_t n = send(fd, line, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        line += n;
        length -= (size_t)n;
    }
    return true;
}

/* Nothing follows a line: leatd speaks only when it is asked. */
static bool take_line(char answer[GRANT_LINE])
{
    size_t length = 0;
    while (length < GRANT_LINE) {
        ssize_t n = recv(fd, answer + length, GRANT_LINE - length, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        char *end = memchr(answer + length, '\n', (size_t)n);
        length += (size_t)n;
        if (end) {
            *end = 0;
            return end + 1 == answer + length;
        }
    }
    return false;
}

bool control_ask(const char *line, size_t length, char answer[GRANT_LINE])
{
    bool answered = false;
    pthread_mutex_lock(&lock);
    bool was_open = fd >= 0;
    /* A connection from before may be one to a leatd that has ended: then a new one decides. */
    for (int tries = was_open ? 2 : 1; tries && !answered; tries--) {
        answered = (fd >= 0 || dial()) && send_all(line, length) && take_line(answer);
        if (!answered)
            hang_up();
    }
    pthread_mutex_unlock(&lock);
    return answered;
}

void control_close(void)
{
    pthread_mutex_lock(&lock);
    hang_up();
    pthread_mutex_unlock(&lock);
}
