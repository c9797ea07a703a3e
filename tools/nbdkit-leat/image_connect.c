// SPDX-License-Identifier: BSD-2-Clause
#include <inttypes.h>
#include <libnbd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/nbdkit-leat/image_server.h"
#include "tools/nbdkit-leat/image_wait.h"

/* A child that only reads loses nothing by being killed; libnbd waits for its end. */
void image_server_hang_up(struct nbd_handle *h)
{
    if (!h)
        return;
    nbd_kill_subprocess(h, SIGKILL); /* an error where there is none */
    nbd_close(h);
}

static bool take_tag(struct nbd_handle *h, char tag[IMAGE_TAG])
{
    char *told = nbd_get_export_description(h);
    bool ok = told && *told && strlen(told) < IMAGE_TAG;
    if (ok)
        strcpy(tag, told);
    free(told);
    return ok;
}

/* Not its device: a network file system that is mounted again may have another number. */
static bool describe_file(const char *path, char tag[IMAGE_TAG])
{
    struct stat about;
    if (stat(path, &about))
        return false;
    snprintf(tag, IMAGE_TAG, "%ju %jd %jd.%09ld", (uintmax_t)about.st_ino, (intmax_t)about.st_size,
             (intmax_t)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
    return true;
}

/* False: not told. before: what the file was before the child opened it; only if it is that still, it is what was opened. */
static bool identify(const struct image_server *server, struct nbd_handle *h, const char *before,
                     struct image_identity *identity)
{
    memset(identity, 0, sizeof *identity);
    identity->size = nbd_get_size(h);
    if (identity->size < 0)
        return false;
    if (server->file)
        return describe_file(server->file, identity->tag) && !strcmp(identity->tag, before);
    return !server->has_tag || take_tag(h, identity->tag);
}

void image_server_move(struct nbd_handle *h, struct image_server_stop *stop, int milliseconds)
{
    uint64_t count;
    unsigned wanted = nbd_aio_get_direction(h);
    struct pollfd fds[2] = {{.fd = nbd_aio_get_fd(h)}, {.fd = stop->wake, .events = POLLIN}};
    fds[0].events = (short)((wanted & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                            (wanted & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
    if (poll(fds, 2, milliseconds) <= 0)
        return;
    if (fds[1].revents && read(stop->wake, &count, sizeof count) != sizeof count)
        fds[1].revents = 0;            /* nothing was there */
    wanted = nbd_aio_get_direction(h); /* a reader may have changed it */
    if (fds[0].revents & (POLLIN | POLLHUP | POLLERR) && wanted & LIBNBD_AIO_DIRECTION_READ)
        nbd_aio_notify_read(h);
    else if (fds[0].revents & (POLLOUT | POLLHUP | POLLERR) && wanted & LIBNBD_AIO_DIRECTION_WRITE)
        nbd_aio_notify_write(h);
}

void image_server_pause(struct image_server_stop *stop, int milliseconds)
{
    uint64_t count;
    int64_t left, end = image_clock() + milliseconds;
    struct pollfd woken = {.fd = stop->wake, .events = POLLIN};
    while (!atomic_load(&stop->is_wanted) && (left = end - image_clock()) > 0)
        if (poll(&woken, 1, (int)left) > 0 && read(stop->wake, &count, sizeof count) < 0)
            continue; /* nothing was there */
}

/* Begins the connecting; false: nbd_get_error() says why. */
static bool dial(const struct image_server *server, struct nbd_handle *h)
{
    if (nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION) ||
        nbd_set_handshake_flags(h, LIBNBD_HANDSHAKE_FLAG_MASK) ||
        nbd_set_full_info(h, server->has_tag))
        return false;
    switch (server->kind) {
    case IMAGE_SERVER_SOCKET:
        return !nbd_aio_connect_systemd_socket_activation(h, (char **)server->argv);
    case IMAGE_SERVER_STDIO:
        return !nbd_aio_connect_command(h, (char **)server->argv);
    default:
        return !nbd_aio_connect_uri(h, server->uri);
    }
}

static const char *why(void)
{
    const char *error = nbd_get_error();
    return error ? error : "its server cannot be asked";
}

/* To the end of the handshake, in which a server can be silent, too. NULL: it is; else why not. */
static const char *shake_hands(struct nbd_handle *h, struct image_server_stop *stop)
{
    int64_t left, end = image_clock() + IMAGE_CONNECT_SECONDS * 1000;
    while (nbd_aio_is_connecting(h)) {
        if (atomic_load(&stop->is_wanted))
            return "it is not waited for any more";
        if ((left = end - image_clock()) <= 0)
            return "its server does not answer";
        image_server_move(h, stop, (int)left);
    }
    return nbd_aio_is_ready(h) ? NULL : why();
}

static struct nbd_handle *connect_to(const struct image_server *server,
                                     struct image_server_stop *stop,
                                     struct image_identity *identity, char error[IMAGE_ERROR])
{
    char before[IMAGE_TAG] = "";
    if (server->file)
        describe_file(server->file, before);
    struct nbd_handle *h = nbd_create();
    const char *trouble = h && dial(server, h) ? shake_hands(h, stop) : why();
    bool connected = h && !trouble;
    if (!connected)
        snprintf(error, IMAGE_ERROR, "the image cannot be reached: %.200s", trouble);
    else if (!(connected = identify(server, h, before, identity)))
        snprintf(error, IMAGE_ERROR,
                 server->file ? "the image was replaced or written while it was opened; open it "
                                "again when that is over: %.160s"
                              : "the image cannot be told from another one: %.160s",
                 server->name);
    if (connected)
        return h;
    image_server_hang_up(h);
    return NULL;
}

struct nbd_handle *image_server_connect(struct image_server *server, struct image_server_stop *stop,
                                        char error[IMAGE_ERROR])
{
    return connect_to(server, stop, &server->identity, error);
}

struct nbd_handle *image_server_connect_again(struct image_server *server,
                                              struct image_server_stop *stop)
{
    char line[IMAGE_ERROR + IMAGE_SERVER_NAME];
    struct image_identity found;
    struct nbd_handle *h = connect_to(server, stop, &found, line);
    if (!h)
        return NULL;
    bool is_same = found.size == server->identity.size && !strcmp(found.tag, server->identity.tag);
    if (is_same == server->is_another) {
        snprintf(line, sizeof line,
                 is_same ? "the image %s is there again"
                         : "the image %s has been replaced by another while it was open: reads "
                           "fail until the old one is back, or all of its users are gone",
                 server->name);
        image_server_log(line);
    }
    server->is_another = !is_same;
    if (is_same)
        return h;
    image_server_hang_up(h);
    return NULL;
}
