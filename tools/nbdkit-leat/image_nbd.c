// SPDX-License-Identifier: BSD-2-Clause
/*
 * An image behind an NBD connection. A thread owns the connection: it makes it, moves its bytes, and makes it again when it is
 * lost. Readers put their requests on it, and wait for their own.
 */
#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tools/nbdkit-leat/image.h"
#include "tools/nbdkit-leat/image_server.h"

#define AWAY_SECONDS 30 /* that a read waits for a connection */
#define TRIES 8         /* of one request: one that its server dies of is given up */
#define RETRY_MS 500    /* between attempts to make one */
#define REQUEST_BYTES (32u << 20)
#define STATUS_BYTES (1u << 31) /* the protocol's counts have 32 bits */

struct nbd_image {
    struct image image;
    struct image_server server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct nbd_handle *handle; /* NULL: there is no connection */
    uint64_t lost;             /* how many have been */
    unsigned users;            /* requests on it */
    bool has_begun, is_stopping;
    char error[IMAGE_ERROR]; /* of the beginning */
    int wake; /* eventfd: a request was put on the connection, or it is to be ended */
};

struct request {
    struct nbd_image *of;
    bool is_done;
    int error;
    uint32_t length, flags; /* of the first extent */
};

static void wake(struct nbd_image *n)
{
    uint64_t one = 1;
    if (write(n->wake, &one, sizeof one) != sizeof one)
        return; /* the count is full: it is awake */
}

static void slept(struct nbd_image *n)
{
    uint64_t count;
    if (read(n->wake, &count, sizeof count) != sizeof count)
        return; /* nothing was there */
}

/* Moves bytes until the connection ends, or the image is closed. */
static void serve(struct nbd_image *n, struct nbd_handle *h)
{
    while (!nbd_aio_is_dead(h) && !nbd_aio_is_closed(h)) {
        unsigned wanted = nbd_aio_get_direction(h);
        struct pollfd fds[2] = {{.fd = nbd_aio_get_fd(h)}, {.fd = n->wake, .events = POLLIN}};
        fds[0].events = (short)((wanted & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                                (wanted & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents)
            slept(n);
        pthread_mutex_lock(&n->lock);
        bool stop = n->is_stopping;
        pthread_mutex_unlock(&n->lock);
        if (stop)
            return;
        wanted = nbd_aio_get_direction(h); /* a reader may have changed it */
        if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && wanted & LIBNBD_AIO_DIRECTION_READ)
            nbd_aio_notify_read(h);
        else if (fds[0].revents & POLLOUT && wanted & LIBNBD_AIO_DIRECTION_WRITE)
            nbd_aio_notify_write(h);
    }
}

/* The connection again, to the same image. NULL: not yet. */
static struct nbd_handle *reconnect(struct nbd_image *n)
{
    char error[IMAGE_ERROR];
    struct nbd_handle *h = image_server_connect(&n->server, error);
    if (h && nbd_get_size(h) != (int64_t)n->image.size) {
        image_server_hang_up(h); /* another image: never mixed with this one */
        h = NULL;
    }
    return h;
}

static void *own(void *context)
{
    struct nbd_image *n = context;
    pthread_mutex_lock(&n->lock);
    while (!n->is_stopping) {
        struct nbd_handle *h = n->handle;
        pthread_mutex_unlock(&n->lock);
        if (h)
            serve(n, h);
        pthread_mutex_lock(&n->lock);
        n->handle = NULL;
        n->lost++;
        pthread_cond_broadcast(&n->changed);
        while (n->users) /* they have been told that their requests have failed */
            pthread_cond_wait(&n->changed, &n->lock);
        pthread_mutex_unlock(&n->lock);
        image_server_hang_up(h);
        if (!h)
            usleep(RETRY_MS * 1000);
        h = reconnect(n);
        pthread_mutex_lock(&n->lock);
        n->handle = h;
        pthread_cond_broadcast(&n->changed);
    }
    image_server_hang_up(n->handle);
    n->handle = NULL;
    pthread_mutex_unlock(&n->lock);
    return NULL;
}

/* The first connection is this thread's too: a child ends with the thread that has made it. */
static void *begin(void *context)
{
    struct nbd_image *n = context;
    struct nbd_handle *h = image_server_connect(&n->server, n->error);
    pthread_mutex_lock(&n->lock);
    n->handle = h;
    n->has_begun = true;
    n->is_stopping = !h;
    if (h)
        n->image.size = (uint64_t)nbd_get_size(h);
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    return own(n);
}

static int on_extent(void *context, const char *name, uint64_t offset, uint32_t *entries,
                     size_t count, int *error)
{
    struct request *r = context;
    (void)offset, (void)error;
    if (!strcmp(name, LIBNBD_CONTEXT_BASE_ALLOCATION) && count >= 2) {
        r->length = entries[0];
        r->flags = entries[1];
    }
    return 0;
}

static int on_done(void *context, int *error)
{
    struct request *r = context;
    struct nbd_image *n = r->of;
    pthread_mutex_lock(&n->lock);
    r->error = *error;
    r->is_done = true;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    return 1; /* libnbd forgets it by itself */
}

static struct timespec in_seconds(int64_t seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    return until;
}

/* The connection, with one more user; waits for one. */
static struct nbd_handle *take(struct nbd_image *n)
{
    struct timespec until = in_seconds(AWAY_SECONDS);
    pthread_mutex_lock(&n->lock);
    while (!n->handle && pthread_cond_timedwait(&n->changed, &n->lock, &until) != ETIMEDOUT)
        continue;
    struct nbd_handle *h = n->handle;
    n->users += h != NULL;
    pthread_mutex_unlock(&n->lock);
    return h;
}

/* One user less; with until_lost when the owner has seen that the connection is lost, too. */
static void leave(struct nbd_image *n, bool until_lost)
{
    struct timespec until = in_seconds(AWAY_SECONDS);
    pthread_mutex_lock(&n->lock);
    uint64_t lost = n->lost;
    n->users--;
    pthread_cond_broadcast(&n->changed);
    while (until_lost && n->handle && n->lost == lost &&
           pthread_cond_timedwait(&n->changed, &n->lock, &until) != ETIMEDOUT)
        continue;
    pthread_mutex_unlock(&n->lock);
}

/* One request, again on each new connection. to NULL: for the extent at the offset. */
static int ask(struct nbd_image *n, struct request *r, void *to, size_t count, uint64_t offset)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        struct nbd_handle *h = take(n);
        if (!h)
            return -EIO;
        *r = (struct request){.of = n};
        nbd_completion_callback done = {.callback = on_done, .user_data = r};
        nbd_extent_callback extent = {.callback = on_extent, .user_data = r};
        int64_t cookie =
            to ? nbd_aio_pread(h, to, count, offset, done, 0)
               : nbd_aio_block_status(h, count, offset, extent, done, LIBNBD_CMD_FLAG_REQ_ONE);
        wake(n);
        pthread_mutex_lock(&n->lock);
        while (cookie >= 0 && !r->is_done)
            pthread_cond_wait(&n->changed, &n->lock);
        pthread_mutex_unlock(&n->lock);
        /* Without our lock: libnbd calls on_done under its own. */
        bool lost =
            cookie < 0 || r->error == ENOTCONN || nbd_aio_is_dead(h) || nbd_aio_is_closed(h);
        leave(n, lost && (cookie < 0 || r->error));
        if (cookie >= 0 && !r->error)
            return 0;
        if (!lost)
            return r->error > 0 ? -r->error : -EIO;
    }
    return -EIO;
}

static int nbd_read(struct image *image, void *to, size_t count, uint64_t offset)
{
    struct nbd_image *n = (struct nbd_image *)image;
    struct request request;
    int error = 0;
    for (char *at = to; count && !error;) {
        size_t part = count < REQUEST_BYTES ? count : REQUEST_BYTES;
        error = ask(n, &request, at, part, offset);
        at += part;
        offset += part;
        count -= part;
    }
    return error;
}

static int nbd_extent(struct image *image, uint64_t count, uint64_t offset, bool *hole, bool *zero,
                      uint64_t *end)
{
    struct nbd_image *n = (struct nbd_image *)image;
    struct request request;
    *hole = *zero = false;
    *end = offset + count;
    struct nbd_handle *h = take(n);
    bool knows = h && nbd_can_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
    if (h)
        leave(n, false);
    if (!knows)
        return h ? 0 : -EIO;
    int error = ask(n, &request, NULL, count < STATUS_BYTES ? count : STATUS_BYTES, offset);
    if (error || !request.length)
        return error;
    if (request.length < count)
        *end = offset + request.length;
    *hole = request.flags & LIBNBD_STATE_HOLE;
    *zero = request.flags & LIBNBD_STATE_ZERO;
    return 0;
}

static void nbd_image_close(struct image *image)
{
    struct nbd_image *n = (struct nbd_image *)image;
    pthread_mutex_lock(&n->lock);
    n->is_stopping = true;
    pthread_mutex_unlock(&n->lock);
    wake(n);
    pthread_join(n->thread, NULL);
    close(n->wake);
    free(n);
}

static const struct image_ops nbd_ops = {nbd_read, nbd_extent, nbd_image_close};

static bool start(struct nbd_image *n, char error[IMAGE_ERROR])
{
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->changed, NULL);
    n->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (n->wake < 0 || pthread_create(&n->thread, NULL, begin, n))
        return false;
    pthread_mutex_lock(&n->lock);
    while (!n->has_begun)
        pthread_cond_wait(&n->changed, &n->lock);
    bool is_there = !n->is_stopping;
    pthread_mutex_unlock(&n->lock);
    if (is_there)
        return true;
    pthread_join(n->thread, NULL);
    memcpy(error, n->error, IMAGE_ERROR);
    return false;
}

struct image *image_nbd_open(const char *name, bool is_uri, enum grant_format format,
                             char error[IMAGE_ERROR])
{
    struct nbd_image *n = calloc(1, sizeof *n);
    snprintf(error, IMAGE_ERROR, "there is no memory for the image");
    if (!n || !image_server_of(&n->server, name, is_uri, format, error)) {
        free(n);
        return NULL;
    }
    n->image.ops = &nbd_ops;
    n->wake = -1;
    if (start(n, error))
        return (struct image *)n;
    if (n->wake >= 0)
        close(n->wake);
    free(n);
    return NULL;
}
