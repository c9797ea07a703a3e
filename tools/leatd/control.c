// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/control.h"

#include "tools/leatd/leatd.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A connection: reads a line, answers it, reads the next. What has arrived behind a line waits until its answer has gone. */
struct connection {
    int file; // -1: free
    char in[CONTROL_LINE_BYTES];
    size_t in_used;
    char *out; // from malloc, NULL when there is nothing to send
    size_t out_size, out_done;
};

struct control {
    struct leatd *leatd;
    int listener;
    gid_t group; // (gid_t)-1: none
    struct connection connections[CONTROL_CONNECTIONS];
};

static bool find_group(struct control *control, const char *name, char *error)
{
    control->group = (gid_t)-1;
    if (!name[0])
        return true;
    const struct group *group = getgrnam(name);
    if (!group) {
        snprintf(error, CONFIG_ERROR_BYTES, "[control] group: there is no group %s", name);
        return false;
    }
    control->group = group->gr_gid;
    return true;
}

/* The folder's lock keeps out a second leatd of this state; this also one of another state with the same socket. */
static bool is_served(const struct sockaddr_un *address)
{
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = file >= 0 && (!connect(file, (const struct sockaddr *)address, sizeof *address) ||
                            errno == EAGAIN);
    if (file >= 0)
        close(file);
    return ok;
}

static bool listen_on(struct control *control, const char *path, char *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        snprintf(error, CONFIG_ERROR_BYTES, "[control] socket: %.150s is too long a path", path);
        return false;
    }
    strcpy(address.sun_path, path);
    if (is_served(&address)) {
        snprintf(error, CONFIG_ERROR_BYTES, "another process serves the control socket %.150s",
                 path);
        return false;
    }
    control->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t mask = umask(0177); // nobody gets in between bind and chmod
    unlink(path);
    bool ok = control->listener >= 0 &&
              !bind(control->listener, (struct sockaddr *)&address, sizeof address) &&
              !listen(control->listener, CONTROL_CONNECTIONS);
    umask(mask);
    if (ok && control->group != (gid_t)-1)
        ok = !chown(path, (uid_t)-1, control->group) && !chmod(path, 0660);
    if (!ok)
        snprintf(error, CONFIG_ERROR_BYTES, "the control socket %.120s cannot be made: %s", path,
                 strerror(errno));
    return ok;
}

struct control *control_open(struct leatd *leatd, char *error)
{
    struct control *control = calloc(1, sizeof *control);
    if (!control) {
        snprintf(error, CONFIG_ERROR_BYTES, "no memory");
        return NULL;
    }
    control->leatd = leatd;
    control->listener = -1;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++)
        control->connections[i].file = -1;
    if (find_group(control, leatd->config.control_group, error) &&
        listen_on(control, leatd->config.control, error))
        return control;
    control_close(control);
    return NULL;
}

static void drop(struct connection *c)
{
    if (c->file >= 0)
        close(c->file);
    free(c->out);
    *c = (struct connection){.file = -1};
}

void control_close(struct control *control)
{
    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++)
        drop(&control->connections[i]);
    if (control->listener >= 0)
        close(control->listener);
    free(control);
}

void control_polls(const struct control *control, struct pollfd *polls)
{
    polls[0] = (struct pollfd){.fd = control->listener, .events = POLLIN};
    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
        const struct connection *c = &control->connections[i];
        polls[i + 1] = (struct pollfd){.fd = c->file, .events = c->out ? POLLOUT : POLLIN};
    }
}

/* Is the group the peer's own, or one of its further ones? */
static bool is_member(int file, const struct ucred *peer, gid_t group)
{
    gid_t groups[256]; // with more than these it has to have this one as its own
    socklen_t size = sizeof groups;
    if (peer->gid == group)
        return true;
    if (getsockopt(file, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
        return false;
    for (size_t i = 0; i < size / sizeof groups[0]; i++)
        if (groups[i] == group)
            return true;
    return false;
}

/* The socket's mode keeps others out; this holds also where the file system has no modes for sockets. */
static bool may_use(const struct control *control, int file)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(file, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return false;
    return peer.uid == 0 || peer.uid == geteuid() ||
           (control->group != (gid_t)-1 && is_member(file, &peer, control->group));
}

/* False: nobody waits any more. */
static bool accept_one(struct control *control)
{
    int file = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (file < 0)
        return false;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS && may_use(control, file); i++)
        if (control->connections[i].file < 0) {
            control->connections[i].file = file;
            return true;
        }
    leatd_log("control: a connection too many, or of somebody who may not");
    close(file);
    return true;
}

static bool send_out(struct connection *c)
{
    ssize_t sent =
        send(c->file, c->out + c->out_done, c->out_size - c->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    c->out_done += (size_t)sent;
    if (c->out_done == c->out_size) {
        free(c->out);
        c->out = NULL;
    }
    return true;
}

/* Answers the first whole line, if there is one. False: the connection has to end. */
static bool answer_line(struct control *control, struct connection *c)
{
    const char *end = memchr(c->in, '\n', c->in_used);
    if (!end)
        return c->in_used < sizeof c->in;
    size_t size = (size_t)(end - c->in);
    c->out = control_answer(control->leatd, c->in, size);
    if (!c->out)
        return false;
    c->out_size = strlen(c->out);
    c->out_done = 0;
    c->in_used -= size + 1;
    memmove(c->in, end + 1, c->in_used);
    return send_out(c);
}

static bool receive(struct connection *c)
{
    ssize_t got = recv(c->file, c->in + c->in_used, sizeof c->in - c->in_used, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    c->in_used += (size_t)got;
    return true;
}

static bool serve(struct control *control, struct connection *c, short events)
{
    if (c->out && !send_out(c))
        return false;
    if (!c->out && events & (POLLIN | POLLHUP | POLLERR) && !receive(c))
        return false;
    while (!c->out && memchr(c->in, '\n', c->in_used))
        if (!answer_line(control, c))
            return false;
    return c->in_used < sizeof c->in || c->out;
}

void control_serve(struct control *control, const struct pollfd *polls)
{
    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct connection *c = &control->connections[i];
        if (c->file >= 0 && polls[i + 1].fd == c->file && polls[i + 1].revents &&
            !serve(control, c, polls[i + 1].revents))
            drop(c);
    }
    while (polls[0].revents & POLLIN && accept_one(control))
        ;
}
