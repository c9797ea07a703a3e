// SPDX-License-Identifier: BSD-2-Clause
#include "services/client/conn.h"

#include <stdio.h>
#include <string.h>

#include "vdisk/net/secure_conn.h"

struct conn {
    void *secure; /* NULL: free */
    const struct vdisk_tls *tls;
    bool is_connected, has_ended;
    char why[160];
};

static struct {
    struct net_conns *net;
    const struct keys *keys;
    struct conn conns[LEAT_NET_SLOTS];
} all;

void conns_begin(struct net_conns *net, const struct keys *keys)
{
    all.net = net;
    all.keys = keys;
}

static void on_closed(void *owner, const char *why)
{
    struct conn *c = owner;
    if (!c->has_ended)
        snprintf(c->why, sizeof c->why, "%s", why);
    c->has_ended = true;
}

static void on_connected(void *owner)
{
    struct conn *c = owner;
    const char *why = secure_conn_start(c->tls, c->secure, "");
    c->is_connected = true;
    if (why)
        on_closed(c, why);
}

static void on_progress(void *owner)
{
    (void)owner; /* the client looks before each sleep */
}

static const struct vdisk_conn_events events = {on_connected, on_progress, on_closed};

void *conn_open(void *ctx, const char *host, uint16_t port, enum client_identity identity)
{
    struct conn *c = NULL;
    (void)ctx;
    for (unsigned i = 0; i < LEAT_NET_SLOTS && !c; i++)
        if (!all.conns[i].secure)
            c = &all.conns[i];
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->tls = identity == CLIENT_OWN ? &all.keys->own.base : &all.keys->enrol.base;
    c->secure = secure_conn_open(all.net, host, port, &events, c);
    return c->secure ? c : NULL;
}

enum client_conn_state conn_state(void *ctx, void *conn, const char **why)
{
    struct conn *c = conn;
    (void)ctx;
    if (!c->has_ended)
        return c->is_connected ? CLIENT_CONN_OPEN : CLIENT_CONN_CONNECTING;
    *why = c->why;
    return secure_conn_is_refused(c->secure) ? CLIENT_CONN_REFUSED : CLIENT_CONN_ENDED;
}

size_t conn_send(void *ctx, void *conn, const void *data, size_t size)
{
    struct conn *c = conn;
    (void)ctx;
    return c->is_connected ? secure_conn_send(c->secure, data, size) : 0;
}

size_t conn_receive(void *ctx, void *conn, void *data, size_t size)
{
    struct conn *c = conn;
    (void)ctx;
    return c->is_connected ? secure_conn_receive(c->secure, data, size) : 0;
}

void conn_close(void *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    secure_conn_close(c->secure);
    c->secure = NULL;
}
