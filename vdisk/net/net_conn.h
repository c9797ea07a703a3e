// SPDX-License-Identifier: BSD-2-Clause
/*
 * The engine's connections over the net channel (include/leat/net.h): the platform of the service.
 * The net service is not trusted: its indices and events are checked, and what it breaks ends one
 * connection. Portable but for the signal, which the caller gives.
 */
#ifndef VDISK_NET_NET_CONN_H
#define VDISK_NET_NET_CONN_H

#include <leat/net.h>

#include "lib/ring.h"
#include "vdisk/platform.h"

enum net_conn_state {
    NET_CONN_FREE,
    NET_CONN_CONNECTING,
    NET_CONN_OPEN,
    NET_CONN_ENDED,   /* by the peer or by net; the engine has not closed it yet */
    NET_CONN_CLOSING, /* the engine has closed it; net has not answered yet */
};

struct net_conn {
    enum net_conn_state state;
    uint32_t number, generation;
    uint32_t owed_command; /* LEAT_NET_* that found no room in the ring; 0: none */
    bool has_rings, is_tx_full, is_touched;
    const struct vdisk_conn_events *events;
    void *owner;
    struct leat_net_slot *slot;
    struct leat_ring_end tx, rx;
    struct net_conns *all;
};

struct net_conns {
    struct leat_net_channel *channel; /* NULL: no net service yet */
    struct leat_ring_end commands, events;
    bool is_touched, has_link_news;
    void (*signal)(void *ctx);
    void *signal_ctx;
    struct net_conn conns[LEAT_NET_SLOTS];
};

/* signal: wakes the net service. channel is mapped and large enough, and lives on. */
void net_conns_init(struct net_conns *n, struct leat_net_channel *channel,
                    void (*signal)(void *ctx), void *signal_ctx);

/* What connect, close, send and receive of struct vdisk_platform do. */
void *net_conn_open(struct net_conns *n, const char *host, uint16_t port,
                    const struct vdisk_conn_events *events, void *owner);
void net_conn_close(struct net_conn *c);
size_t net_conn_send(struct net_conn *c, const void *data, size_t size);
size_t net_conn_receive(struct net_conn *c, void *data, size_t size);

/* True once after the network has come up. */
bool net_conns_came_up(struct net_conns *n);
/* Takes the events of net; calls the engine's callbacks. */
void net_conns_run(struct net_conns *n);
/* Signals net if anything that was done since the last call asks for it. */
void net_conns_flush(struct net_conns *n);
/* Announces that this side sleeps. False: there is work. */
bool net_conns_may_sleep(struct net_conns *n);
/* Something came or went since the last net_conns_flush. */
bool net_conns_have_moved(const struct net_conns *n);

#endif
