// SPDX-License-Identifier: BSD-2-Clause
/*
 * An image behind an NBD connection. A thread owns the connection: it makes it, moves its bytes, and makes it again when it is
 * lost. Readers put their requests on it, and wait for their own. One that has waited too long, or in vain, has the connection
 * given up: until then libnbd may write to its buffer. All others are asked again.
 */
#include <errno.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/nbdkit-leat/image.h"
#include "tools/nbdkit-leat/image_server.h"
#include "tools/nbdkit-leat/image_wait.h"

#define TRIES 8                  /* of one request: one that its server dies of is given up */
#define RETRY_MS 500             /* after one that failed, or was lost sooner */
#define REQUEST_BYTES (4u << 20) /* what a slow server sends within a try of its child's */
#define STATUS_BYTES (1u << 31)  /* the protocol's counts have 32 bits */

struct nbd_image {
    struct image image;
    struct image_server server;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct nbd_handle *handle; /* NULL: there is no connection */
    uint64_t lost;             /* how many have been */
    unsigned users;            /* requests on it */
    int64_t answered;          /* image_clock: when a request has last succeeded */
    bool has_begun, is_there;
    atomic_bool is_given_up; /* the connection */
    char error[IMAGE_ERROR]; /* of the beginning */
    struct image_server_stop
        stop; /* waking: a request was put on the connection, or it is to be ended */
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
    if (write(n->stop.wake, &one, sizeof one) != sizeof one)
        return; /* the count is full: it is awake */
}

/* Moves bytes until the connection ends, or the image is closed. One that is given up ends here, with all of its requests. */
static void serve(struct nbd_image *n, struct nbd_handle *h)
{
    while (!nbd_aio_is_dead(h) && !nbd_aio_is_closed(h) && !atomic_load(&n->stop.is_wanted)) {
        image_server_move(h, &n->stop, -1);
        if (atomic_load(&n->is_given_up))
            shutdown(nbd_aio_get_fd(h), SHUT_RDWR);
    }
}

/* Returns when its users have gone: they have been told that their requests have failed. */
static void take_back(struct nbd_image *n)
{
    pthread_mutex_lock(&n->lock);
    n->handle = NULL;
    n->lost++;
    pthread_cond_broadcast(&n->changed);
    while (n->users)
        pthread_cond_wait(&n->changed, &n->lock);
    pthread_mutex_unlock(&n->lock);
}

static void offer(struct nbd_image *n, struct nbd_handle *h)
{
    pthread_mutex_lock(&n->lock);
    n->handle = h;
    atomic_store(&n->is_given_up, false);
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

/* Connections, from the one that there is to the image's closing. */
static void own(struct nbd_image *n)
{
    struct nbd_handle *h = n->handle;
    for (;;) {
        int64_t begun = image_clock();
        if (h)
            serve(n, h);
        bool is_soon = !h || image_clock() - begun < RETRY_MS;
        take_back(n);
        image_server_hang_up(h);
        if (is_soon)
            image_server_pause(&n->stop, RETRY_MS);
        if (atomic_load(&n->stop.is_wanted))
            return;
        h = image_server_connect_again(&n->server, &n->stop);
        offer(n, h);
    }
}

/* The first connection is this thread's too: a child ends with the thread that has made it. */
static void *begin(void *context)
{
    struct nbd_image *n = context;
    struct nbd_handle *h = image_server_connect(&n->server, &n->stop, n->error);
    pthread_mutex_lock(&n->lock);
    n->handle = h;
    n->has_begun = true;
    n->is_there = h;
    if (h)
        n->image.size = (uint64_t)n->server.identity.size;
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    if (h)
        own(n);
    return NULL;
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
    if (!*error)
        n->answered = image_clock();
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
    return 1; /* libnbd forgets it by itself */
}

/* The connection, with one more user; waits for one. NULL: error says why. */
static struct nbd_handle *take(struct nbd_image *n, struct image_wait *wait, int *error)
{
    *error = 0;
    pthread_mutex_lock(&n->lock);
    while (!n->handle && !*error)
        *error = image_wait_more(wait, n->answered, &n->changed, &n->lock);
    struct nbd_handle *h = n->handle;
    n->users += h != NULL;
    pthread_mutex_unlock(&n->lock);
    return h;
}

/* One user less; with until_lost when the owner has seen that the connection is lost, too: it is about to. */
static void leave(struct nbd_image *n, bool until_lost)
{
    pthread_mutex_lock(&n->lock);
    uint64_t lost = n->lost;
    n->users--;
    pthread_cond_broadcast(&n->changed);
    while (until_lost && n->handle && n->lost == lost)
        pthread_cond_wait(&n->changed, &n->lock);
    pthread_mutex_unlock(&n->lock);
}

/* By one of its users. */
static void give_up(struct nbd_image *n, int error)
{
    char line[IMAGE_SERVER_NAME + 128];
    if (atomic_exchange(&n->is_given_up, true))
        return;
    wake(n);
    if (error != -EIO)
        return;
    snprintf(line, sizeof line, "the image %s: its server does not answer, and is asked anew",
             n->server.name);
    image_server_log(line);
}

/* Until the request is done, or the connection given up. Once that is, its owner ends it in a moment. */
static int await(struct nbd_image *n, const struct request *r, struct image_wait *wait)
{
    int error = 0;
    pthread_mutex_lock(&n->lock);
    while (!r->is_done && !error)
        error = image_wait_more(wait, n->answered, &n->changed, &n->lock);
    if (error && !r->is_done)
        give_up(n, error);
    while (!r->is_done)
        pthread_cond_wait(&n->changed, &n->lock);
    pthread_mutex_unlock(&n->lock);
    return error;
}

/* One request, again on each new connection. to NULL: for the extent at the offset. */
static int ask(struct nbd_image *n, struct request *r, void *to, size_t count, uint64_t offset,
               struct image_wait *wait)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        int error;
        struct nbd_handle *h = take(n, wait, &error);
        if (!h)
            return error;
        *r = (struct request){.of = n};
        nbd_completion_callback done = {.callback = on_done, .user_data = r};
        nbd_extent_callback extent = {.callback = on_extent, .user_data = r};
        int64_t cookie =
            to ? nbd_aio_pread(h, to, count, offset, done, 0)
               : nbd_aio_block_status(h, count, offset, extent, done, LIBNBD_CMD_FLAG_REQ_ONE);
        wake(n);
        error = 0;
        if (cookie >= 0)
            error = await(n, r, wait);
        else
            give_up(n, 0);
        /* Without our lock: libnbd calls on_done under its own. */
        bool lost =
            cookie < 0 || r->error == ENOTCONN || nbd_aio_is_dead(h) || nbd_aio_is_closed(h);
        leave(n, lost && (cookie < 0 || r->error));
        if (cookie >= 0 && !r->error)
            return 0;
        if (error || !lost)
            return error ? error : r->error > 0 ? -r->error : -EIO;
    }
    return -EIO;
}

static int nbd_read(struct image *image, void *to, size_t count, uint64_t offset)
{
    struct nbd_image *n = (struct nbd_image *)image;
    struct request request;
    struct image_wait wait = image_wait_begin();
    int error = 0;
    for (char *at = to; count && !error;) {
        size_t part = count < REQUEST_BYTES ? count : REQUEST_BYTES;
        error = ask(n, &request, at, part, offset, &wait);
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
    struct image_wait wait = image_wait_begin();
    int error;
    *hole = *zero = false;
    *end = offset + count;
    struct nbd_handle *h = take(n, &wait, &error);
    bool knows = h && nbd_can_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) > 0;
    if (h)
        leave(n, false);
    if (!knows)
        return error;
    error = ask(n, &request, NULL, count < STATUS_BYTES ? count : STATUS_BYTES, offset, &wait);
    if (error || !request.length)
        return error;
    if (request.length < count)
        *end = offset + request.length;
    *hole = request.flags & LIBNBD_STATE_HOLE;
    *zero = request.flags & LIBNBD_STATE_ZERO;
    return 0;
}

/* Its thread ends, whatever it is doing. */
static void stop(struct nbd_image *n)
{
    atomic_store(&n->stop.is_wanted, true);
    wake(n);
    pthread_join(n->thread, NULL);
}

static void nbd_image_close(struct image *image)
{
    struct nbd_image *n = (struct nbd_image *)image;
    stop(n);
    close(n->stop.wake);
    free(n);
}

static const struct image_ops nbd_ops = {nbd_read, nbd_extent, nbd_image_close};

static bool start(struct nbd_image *n, char error[IMAGE_ERROR], bool *is_vain)
{
    pthread_mutex_init(&n->lock, NULL);
    pthread_cond_init(&n->changed, NULL);
    n->stop.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (n->stop.wake < 0 || pthread_create(&n->thread, NULL, begin, n))
        return false;
    struct image_wait wait = image_wait_begin();
    int number = 0;
    pthread_mutex_lock(&n->lock);
    while (!n->has_begun && !number)
        number = image_wait_more(&wait, 0, &n->changed, &n->lock);
    bool is_there = n->is_there;
    pthread_mutex_unlock(&n->lock);
    if (is_there)
        return true;
    *is_vain = number == -ESHUTDOWN;
    stop(n);
    snprintf(error, IMAGE_ERROR, "%s", n->error[0] ? n->error : "it is not waited for any more");
    return false;
}

struct image *image_nbd_open(const char *name, bool is_uri, enum grant_format format,
                             char error[IMAGE_ERROR], bool *is_vain)
{
    struct nbd_image *n = calloc(1, sizeof *n);
    snprintf(error, IMAGE_ERROR, "there is no memory for the image");
    if (!n || !image_server_of(&n->server, name, is_uri, format, error)) {
        free(n);
        return NULL;
    }
    n->image.ops = &nbd_ops;
    n->stop.wake = -1;
    if (start(n, error, is_vain))
        return (struct image *)n;
    if (n->stop.wake >= 0)
        close(n->stop.wake);
    free(n);
    return NULL;
}
