// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/net/secure_conn.h"

struct secure_conn {
    struct net_conn *raw; /* NULL: free */
    struct tls *tls;      /* NULL: plain text */
    bool has_told;        /* that it has ended */
    const struct vdisk_conn_events *events;
    void *owner;
};

static struct secure_conn conns[LEAT_NET_SLOTS];

static void on_connected(void *owner)
{
    struct secure_conn *c = owner;
    c->events->connected(c->owner);
}

static void on_progress(void *owner)
{
    struct secure_conn *c = owner;
    c->events->progress(c->owner);
}

static void tell_end(struct secure_conn *c, const char *why)
{
    if (!c->has_told) {
        c->has_told = true;
        c->events->closed(c->owner, why);
    }
}

/* What had arrived before the end may hold the reason: an alert. */
static void on_closed(void *owner, const char *why)
{
    struct secure_conn *c = owner;
    const char *reason = NULL;
    if (c->tls) {
        do
            tls_pump(c->tls);
        while (tls_has_more(c->tls));
        reason = tls_end_reason(c->tls);
    }
    tell_end(c, reason ? reason : why);
}

static const struct vdisk_conn_events raw_events = {on_connected, on_progress, on_closed};

void *secure_conn_open(struct net_conns *n, const char *host, uint16_t port,
                       const struct vdisk_conn_events *events, void *owner)
{
    struct secure_conn *c = NULL;
    for (uint32_t i = 0; i < LEAT_NET_SLOTS && !c; i++)
        if (!conns[i].raw)
            c = &conns[i];
    if (!c)
        return NULL;
    *c = (struct secure_conn){.events = events, .owner = owner};
    c->raw = net_conn_open(n, host, port, &raw_events, c);
    return c->raw ? c : NULL;
}

void secure_conn_close(void *conn)
{
    struct secure_conn *c = conn;
    if (c->tls)
        tls_close(c->tls);
    net_conn_close(c->raw);
    c->tls = NULL;
    c->raw = NULL;
}

static long wire_send(void *ctx, const void *data, size_t size)
{
    struct secure_conn *c = ctx;
    return (long)net_conn_send(c->raw, data, size);
}

static long wire_receive(void *ctx, void *data, size_t size)
{
    struct secure_conn *c = ctx;
    size_t n = net_conn_receive(c->raw, data, size);
    return n || c->raw->state == NET_CONN_OPEN ? (long)n : -1;
}

const char *secure_conn_start(const struct vdisk_tls *tls, void *conn, const char *server_name)
{
    struct secure_conn *c = conn;
    const struct tls_wire wire = {wire_send, wire_receive, c};
    c->tls = tls_open(((const struct secure_tls *)tls)->keys, server_name, &wire);
    if (!c->tls)
        return "TLS: no memory";
    tls_pump(c->tls);
    return NULL;
}

size_t secure_conn_send(void *conn, const void *data, size_t size)
{
    struct secure_conn *c = conn;
    return c->tls ? tls_send(c->tls, data, size) : net_conn_send(c->raw, data, size);
}

size_t secure_conn_receive(void *conn, void *data, size_t size)
{
    struct secure_conn *c = conn;
    return c->tls ? tls_receive(c->tls, data, size) : net_conn_receive(c->raw, data, size);
}

bool secure_conn_is_refused(const void *conn)
{
    const struct secure_conn *c = conn;
    return c->tls && tls_is_refused(c->tls);
}

bool secure_conns_run(void)
{
    static uint32_t first; /* connections take turns */
    uint32_t at = first, with_more = 0;
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++, at = (at + 1) % LEAT_NET_SLOTS) {
        struct secure_conn *c = &conns[at];
        if (!c->raw || !c->tls)
            continue;
        bool had_more = tls_has_more(c->tls);
        if (!had_more || !with_more)
            tls_pump(c->tls);
        if (had_more && !with_more)
            first = (at + 1) % LEAT_NET_SLOTS;
        with_more += had_more || tls_has_more(c->tls);
        if (tls_end_reason(c->tls))
            tell_end(c, tls_end_reason(c->tls));
    }
    return with_more;
}
