// SPDX-License-Identifier: BSD-2-Clause
/*
 * A pair on the world's wire: a client of services/net, with one slot at a time, and the peer's TCP server, with one
 * connection at a time. Both send and expect world_byte's stream.
 */
#ifndef TESTS_UNIT_NET_PAIR_H
#define TESTS_UNIT_NET_PAIR_H

#include "net_servers.h"
#include "net_world.h"

#define MIB (1ull << 20)
#define S 1000000000ull

struct net_peer {
    struct tcp_pcb *pcb;
    uint64_t to_send, sent, received, wrong;
    bool ended, is_deaf; /* deaf: takes nothing */
    uint64_t held;
    err_t error;
};
extern struct net_peer peer;

struct net_client {
    struct leat_ring_end commands, events, tx, rx;
    uint32_t slot, generation;
    bool is_connected, is_closed, is_lazy; /* lazy: reads nothing */
    int32_t status;
    uint64_t received, wrong, sent, to_send;
    unsigned link_events, busy_events;
};
extern struct net_client client;

/* The world, the peer's listener, the client; the card has no address yet. Once in a process, as a group's setup. */
int pair_start(void **state);
int pair_start_with_address(void **state); /* by DHCP */

int pair_quiet(void **state); /* a test's setup: the wire does no harm */

/* The peer goes on with what it has to send; the client works until it may sleep, as a process of Leat does. */
void peer_send(void);
void client_run(void);
void client_bytes(void); /* what its rings hold, whatever it is told */

/* A command for the client's slot; connect_to begins a new slot and generation, open_to_peer waits for it, close_now closes. */
void command(uint32_t op);
void connect_to(const char *host, uint16_t port);
void open_to_peer(void);
void close_now(void);

/* Conditions for world_run. */
bool is_open(void);
bool is_closed(void);
bool has_address(void);
bool never(void);
bool all_received(void);
bool all_sent(void);
bool all_both_ways(void);
bool peer_ended(void);

#endif
