// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/leat_nbd/sockets.h"
#include "vdisk/tls/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct sock {
    int fd; /* -1: it could not even be made */
    bool is_used, is_connecting, is_ended, is_full;
    int error;
    struct tls *tls; /* NULL: plain text */
    const struct vdisk_conn_events *events;
    void *owner;
};

static struct sock socks[SOCKETS_MAX];

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static int start(int fd, const struct sockaddr *address, socklen_t size)
{
    if (fd < 0)
        return errno;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, address, size) == 0 || errno == EINPROGRESS)
        return 0;
    return errno;
}

static int connect_unix(struct sock *s, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return ENAMETOOLONG;
    strcpy(address.sun_path, path);
    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return start(s->fd, (struct sockaddr *)&address, sizeof address);
}

static int connect_tcp(struct sock *s, const char *host, uint16_t port)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found))
        return EHOSTUNREACH;
    s->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (s->fd >= 0)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int error = start(s->fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return error;
}

static void *conn_connect(void *ctx, const char *host, uint16_t port,
                          const struct vdisk_conn_events *events, void *owner)
{
    (void)ctx;
    for (int i = 0; i < SOCKETS_MAX; i++) {
        struct sock *s = &socks[i];
        if (s->is_used)
            continue;
        *s = (struct sock){
            .fd = -1, .is_used = true, .is_connecting = true, .events = events, .owner = owner};
        s->error = host[0] == '/' ? connect_unix(s, host) : connect_tcp(s, host, port);
        s->is_ended = s->error != 0; /* told by the loop, not from here */
        return s;
    }
    return NULL;
}

static void conn_close(void *ctx, void *conn)
{
    (void)ctx;
    struct sock *s = conn;
    if (s->tls)
        tls_close(s->tls);
    if (s->fd >= 0)
        close(s->fd);
    s->is_used = false;
}

static void ended(struct sock *s, int error)
{
    s->is_ended = true;
    s->error = error;
}

/* Bytes, 0: none now, -1: the connection has ended. */
static long raw_send(void *ctx, const void *data, size_t size)
{
    struct sock *s = ctx;
    if (s->is_connecting || s->is_ended || s->events == NULL)
        return 0;
    ssize_t n = send(s->fd, data, size, MSG_NOSIGNAL);
    s->is_full = n < 0 || (size_t)n < size;
    if (n >= 0 || errno == EAGAIN || errno == EINTR)
        return n < 0 ? 0 : n;
    ended(s, errno);
    return -1;
}

static long raw_receive(void *ctx, void *data, size_t size)
{
    struct sock *s = ctx;
    if (s->is_connecting || s->fd < 0 || size == 0)
        return 0;
    ssize_t n = recv(s->fd, data, size, 0);
    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    ended(s, n < 0 ? errno : 0);
    return -1;
}

static size_t conn_send(void *ctx, void *conn, const void *data, size_t size)
{
    (void)ctx;
    struct sock *s = conn;
    long n = s->tls ? (long)tls_send(s->tls, data, size) : raw_send(s, data, size);
    if (s->tls && tls_end_reason(s->tls))
        s->is_ended = true;
    return n < 0 ? 0 : (size_t)n;
}

static size_t conn_receive(void *ctx, void *conn, void *data, size_t size)
{
    (void)ctx;
    struct sock *s = conn;
    long n = s->tls ? (long)tls_receive(s->tls, data, size) : raw_receive(s, data, size);
    if (s->tls && tls_end_reason(s->tls))
        s->is_ended = true;
    return n < 0 ? 0 : (size_t)n;
}

/* Nobody else waits meanwhile. */
static void pump(struct tls *t)
{
    do
        tls_pump(t);
    while (tls_has_more(t));
}

const char *sockets_tls_start(const struct vdisk_tls *tls, void *conn, const char *server_name)
{
    struct sock *s = conn;
    const struct sockets_tls *mine = (const struct sockets_tls *)tls;
    const struct tls_wire wire = {raw_send, raw_receive, s};
    s->tls = tls_open(mine->keys, server_name, &wire);
    if (!s->tls)
        return "TLS: no memory";
    pump(s->tls);
    return NULL;
}

static uint64_t random_bits(void *ctx)
{
    (void)ctx;
    uint64_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        bits = now_ns(NULL);
    return bits;
}

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "leat-nbd: %s\n", line);
}

const struct vdisk_platform sockets_platform = {NULL,        now_ns,    conn_connect,
                                                conn_close,  conn_send, conn_receive,
                                                random_bits, log_line,  tls_sha256};

int sockets_poll_set(struct pollfd *fds)
{
    for (int i = 0; i < SOCKETS_MAX; i++) {
        struct sock *s = &socks[i];
        bool is_live = s->is_used && !s->is_ended && s->events;
        fds[i] = (struct pollfd){.fd = is_live ? s->fd : -1, .events = POLLIN};
        if (is_live && (s->is_connecting || s->is_full || (s->tls && tls_is_sending(s->tls))))
            fds[i].events |= POLLOUT;
    }
    return SOCKETS_MAX;
}

static void finish_connect(struct sock *s)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        ended(s, error);
        return;
    }
    s->is_connecting = false;
    s->events->connected(s->owner);
}

static const char *reason(const struct sock *s)
{
    const char *tls = s->tls ? tls_end_reason(s->tls) : NULL;
    static char text[240];
    if (s->error && !tls)
        return strerror(s->error);
    if (s->error) {
        snprintf(text, sizeof text, "%s (%s)", tls, strerror(s->error));
        return text;
    }
    return tls ? tls : "the server closed the connection";
}

void sockets_deliver(const struct pollfd *fds, int count)
{
    for (int i = 0; i < count; i++) {
        struct sock *s = &socks[i];
        if (!s->is_used || !s->events)
            continue;
        if (s->is_connecting && !s->is_ended && (fds[i].revents & (POLLOUT | POLLERR | POLLHUP)))
            finish_connect(s);
        if (s->tls && fds[i].revents)
            pump(s->tls);
        if (s->tls && tls_end_reason(s->tls))
            s->is_ended = true;
        if (s->is_ended) {
            const struct vdisk_conn_events *events = s->events;
            s->events = NULL; /* tell it once */
            events->closed(s->owner, reason(s));
        } else if (fds[i].revents) {
            s->events->progress(s->owner);
        }
    }
}

bool sockets_have_news(void)
{
    for (int i = 0; i < SOCKETS_MAX; i++)
        if (socks[i].is_used && socks[i].is_ended && socks[i].events)
            return true;
    return false;
}
