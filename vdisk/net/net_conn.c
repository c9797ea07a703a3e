// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/net/net_conn.h"

#include <string.h>

void net_conns_init(struct net_conns *n, struct leat_net_channel *channel,
                    void (*signal)(void *ctx), void *signal_ctx)
{
    memset(n, 0, sizeof *n);
    n->channel = channel;
    n->signal = signal;
    n->signal_ctx = signal_ctx;
    leat_ring_join(&n->commands, channel->commands, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_command), true);
    leat_ring_join(&n->events, channel->events, LEAT_NET_RING_COUNT, sizeof(struct leat_net_event),
                   false);
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        n->conns[i].number = i;
        n->conns[i].slot = &channel->slots[i];
        n->conns[i].all = n;
    }
}

static void command(struct net_conn *c, uint32_t op)
{
    struct leat_net_command command = {.op = op, .slot = c->number, .generation = c->generation};
    c->owed_command = 0;
    if (leat_ring_put(&c->all->commands, &command) == LEAT_OK)
        c->all->is_touched = true;
    else
        c->owed_command = op;
}

void *net_conn_open(struct net_conns *n, const char *host, uint16_t port,
                    const struct vdisk_conn_events *events, void *owner)
{
    struct net_conn *c = NULL;
    for (uint32_t i = 0; n->channel && i < LEAT_NET_SLOTS && !c; i++)
        if (n->conns[i].state == NET_CONN_FREE)
            c = &n->conns[i];
    if (!c || strlen(host) >= sizeof c->slot->host)
        return NULL;
    c->state = NET_CONN_CONNECTING;
    c->generation++;
    c->has_rings = c->is_tx_full = c->is_touched = false;
    c->events = events;
    c->owner = owner;
    memset(c->slot->host, 0, sizeof c->slot->host);
    memcpy(c->slot->host, host, strlen(host));
    c->slot->port = port;
    command(c, LEAT_NET_CONNECT);
    return c;
}

void net_conn_close(struct net_conn *c)
{
    bool is_over = c->state == NET_CONN_ENDED;
    c->state = is_over ? NET_CONN_FREE : NET_CONN_CLOSING;
    c->has_rings = false;
    if (is_over)
        return;
    if (c->owed_command == LEAT_NET_CONNECT) { /* net has never heard of it */
        c->owed_command = 0;
        c->state = NET_CONN_FREE;
        return;
    }
    command(c, LEAT_NET_CLOSE);
}

size_t net_conn_send(struct net_conn *c, const void *data, size_t size)
{
    if (c->state != NET_CONN_OPEN)
        return 0;
    uint32_t want = size > LEAT_NET_TX_BYTES ? LEAT_NET_TX_BYTES : (uint32_t)size;
    uint32_t n = leat_ring_write(&c->tx, data, want);
    c->is_tx_full = n < size;
    c->is_touched = c->is_touched || n;
    return n;
}

size_t net_conn_receive(struct net_conn *c, void *data, size_t size)
{
    if (!c->has_rings)
        return 0;
    uint32_t want = size > LEAT_NET_RX_BYTES ? LEAT_NET_RX_BYTES : (uint32_t)size;
    uint32_t n = leat_ring_read(&c->rx, data, want);
    c->is_touched = c->is_touched || n;
    return n;
}

static const char *reason(int32_t status)
{
    switch (status) {
    case LEAT_OK:
        return "the server closed the connection";
    case LEAT_EIO:
        return "connection refused or reset";
    case LEAT_ETIMEDOUT:
        return "no answer";
    case LEAT_ENOENT:
        return "the host's name is unknown";
    case LEAT_EAGAIN:
        return "no network yet";
    default:
        return "the connection failed";
    }
}

static void end(struct net_conn *c, const char *why)
{
    c->state = NET_CONN_ENDED;
    c->events->closed(c->owner, why);
}

static void take_event(struct net_conns *n, const struct leat_net_event *e)
{
    if (e->kind == LEAT_NET_LINK)
        n->has_link_news = true;
    if (e->kind == LEAT_NET_LINK || e->slot >= LEAT_NET_SLOTS)
        return;
    struct net_conn *c = &n->conns[e->slot];
    if (e->generation != c->generation)
        return;
    if (e->kind == LEAT_NET_CLOSED && c->state == NET_CONN_CLOSING) {
        c->state = NET_CONN_FREE;
    } else if (e->kind == LEAT_NET_CLOSED &&
               (c->state == NET_CONN_OPEN || c->state == NET_CONN_CONNECTING)) {
        end(c, reason(e->status));
    } else if (e->kind == LEAT_NET_CONNECTED && c->state == NET_CONN_CONNECTING) {
        leat_ring_join(&c->tx, c->slot->tx, LEAT_NET_TX_BYTES, 1, true);
        leat_ring_join(&c->rx, c->slot->rx, LEAT_NET_RX_BYTES, 1, false);
        c->has_rings = true;
        c->state = NET_CONN_OPEN;
        c->events->connected(c->owner);
    }
}

bool net_conns_came_up(struct net_conns *n)
{
    bool has_news = n->has_link_news;
    n->has_link_news = false;
    return has_news && __atomic_load_n(&n->channel->info.state, __ATOMIC_ACQUIRE) == LEAT_NET_UP;
}

void net_conns_run(struct net_conns *n)
{
    struct leat_net_event event;
    if (!n->channel)
        return;
    while (leat_ring_get(&n->events, &event) == LEAT_OK) {
        n->is_touched = true;
        take_event(n, &event);
    }
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        struct net_conn *c = &n->conns[i];
        if (c->owed_command)
            command(c, c->owed_command);
        if (c->state == NET_CONN_OPEN && (c->rx.is_broken || c->tx.is_broken)) {
            end(c, "the net service has broken the connection's rings");
            command(c, LEAT_NET_CLOSE);
        }
    }
}

bool net_conns_have_moved(const struct net_conns *n)
{
    bool have = n->is_touched;
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++)
        have |= n->conns[i].is_touched;
    return have;
}

void net_conns_flush(struct net_conns *n)
{
    bool must = false;
    if (!n->channel)
        return;
    if (n->is_touched) {
        must |= leat_ring_must_signal(&n->commands);
        must |= leat_ring_must_signal(&n->events);
        n->is_touched = false;
    }
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        struct net_conn *c = &n->conns[i];
        if (!c->is_touched)
            continue;
        c->is_touched = false;
        if (!c->has_rings)
            continue;
        must |= leat_ring_must_signal(&c->tx);
        must |= leat_ring_must_signal(&c->rx);
    }
    if (must)
        n->signal(n->signal_ctx);
}

bool net_conns_may_sleep(struct net_conns *n)
{
    if (!n->channel)
        return true;
    bool may = leat_ring_may_sleep(&n->events);
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        struct net_conn *c = &n->conns[i];
        if (c->owed_command)
            may &= leat_ring_may_sleep(&n->commands);
        if (c->state != NET_CONN_OPEN)
            continue;
        may &= leat_ring_may_sleep(&c->rx);
        if (c->is_tx_full)
            may &= leat_ring_may_sleep(&c->tx);
    }
    return may;
}
