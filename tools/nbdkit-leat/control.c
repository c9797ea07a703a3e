// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/control.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 8u /* leatd takes four times as many */
#define RESERVED 0u    /* for the thread that asked for that */

struct connection {
    int fd; /* -1: none */
    bool is_busy;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct connection connections[CONNECTIONS];
static unsigned answers, failures; /* failures: those that have found leatd away */
static struct control_state common;
static _Thread_local bool has_reserved;

bool control_init(const char *path)
{
    if (strlen(path) >= sizeof address.sun_path)
        return false;
    strcpy(address.sun_path, path);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        connections[i].fd = -1;
    return true;
}

static void hang_up(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For each call on the socket. */
static bool bound(const struct connection *c, int64_t until)
{
    int64_t left = until - milliseconds();
    struct timeval limit = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    return left > 0 && !setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) &&
           !setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static bool dial(struct connection *c, int64_t until)
{
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    if (bound(c, until) && !connect(c->fd, (struct sockaddr *)&address, sizeof address))
        return true;
    hang_up(c);
    return false;
}

static bool send_all(int fd, const char *line, size_t length)
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
static bool take_line(int fd, char answer[GRANT_LINE])
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

static bool ask_within(struct connection *c, int64_t until, const char *line, size_t length,
                       char answer[GRANT_LINE])
{
    /* A connection from before may be one to a leatd that has ended: then a new one decides. */
    for (int tries = c->fd >= 0 ? 2 : 1; tries; tries--) {
        if ((c->fd >= 0 || dial(c, until)) && bound(c, until) && send_all(c->fd, line, length) &&
            take_line(c->fd, answer))
            return true;
        hang_up(c);
    }
    return false;
}

/* With the lock. One that stands rather than one that is to be made; NULL: all are in use. */
static struct connection *free_one(void)
{
    struct connection *found = NULL;
    if (has_reserved)
        return connections[RESERVED].is_busy ? NULL : &connections[RESERVED];
    for (unsigned i = RESERVED + 1; i < CONNECTIONS; i++)
        if (!connections[i].is_busy && (!found || (found->fd < 0 && connections[i].fd >= 0)))
            found = &connections[i];
    return found;
}

/* With the lock. */
static void note(bool answered, unsigned answers_before)
{
    if (!answered && answers != answers_before)
        return; /* this one alone is late */
    answers += answered;
    failures += !answered;
    common.changes += common.is_away == answered;
    common.is_away = !answered;
}

bool control_ask(const char *line, size_t length, unsigned seconds, char answer[GRANT_LINE],
                 struct control_state *state)
{
    struct connection *c;
    bool answered = false, is_vain;
    pthread_mutex_lock(&lock);
    unsigned before = failures;
    while (!(is_vain = common.is_away && before != failures) && !(c = free_one()))
        pthread_cond_wait(&freed, &lock);
    if (!is_vain) {
        unsigned answers_before = answers;
        c->is_busy = true;
        pthread_mutex_unlock(&lock);
        answered = ask_within(c, milliseconds() + seconds * 1000, line, length, answer);
        pthread_mutex_lock(&lock);
        c->is_busy = false;
        note(answered, answers_before);
    }
    *state = common;
    pthread_cond_broadcast(&freed);
    pthread_mutex_unlock(&lock);
    return answered;
}

void control_reserve(void)
{
    has_reserved = true;
}

void control_close(void)
{
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        hang_up(&connections[i]);
    pthread_mutex_unlock(&lock);
}
