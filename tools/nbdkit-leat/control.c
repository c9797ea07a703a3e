// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int fd = -1;
static atomic_uint failures;

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

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For each call on the socket. */
static bool bound(int64_t until)
{
    int64_t left = until - milliseconds();
    struct timeval limit = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    return left > 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) &&
           !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static bool dial(int64_t until)
{
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (bound(until) && !connect(fd, (struct sockaddr *)&address, sizeof address))
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

static bool ask_within(int64_t until, const char *line, size_t length, char answer[GRANT_LINE])
{
    /* A connection from before may be one to a leatd that has ended: then a new one decides. */
    for (int tries = fd >= 0 ? 2 : 1; tries; tries--) {
        if ((fd >= 0 || dial(until)) && bound(until) && send_all(line, length) && take_line(answer))
            return true;
        hang_up();
    }
    return false;
}

bool control_ask(const char *line, size_t length, unsigned seconds, char answer[GRANT_LINE])
{
    bool answered = false;
    unsigned before = atomic_load(&failures);
    pthread_mutex_lock(&lock);
    if (before == atomic_load(&failures)) {
        answered = ask_within(milliseconds() + seconds * 1000, line, length, answer);
        if (!answered)
            atomic_fetch_add(&failures, 1);
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
