// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small world for tests of services/net: the service's stack on one station, a peer on the other,
 * a wire between them that delays, loses and reorders by a seed, a client in shared memory, and a
 * clock that only moves when nothing can happen now. Client and service run only when they were
 * signalled, or a packet or timer came; so a lost wake-up shows as a standstill.
 */
#ifndef TESTS_UNIT_NET_WORLD_H
#define TESTS_UNIT_NET_WORLD_H

#include "services/net/stack.h"

#include "lwip/tcp.h"

#define WORLD_MASK 0x00ffffffu    /* 255.255.255.0 as lwIP stores it */
#define WORLD_CARD_IP 0x0100010au /* 10.1.0.1 */
#define WORLD_PEER_IP 0x0200010au /* 10.1.0.2 */
#define WORLD_DEAD_IP 0x0900010au /* 10.1.0.9: nobody */
#define WORLD_PORT 10809u

struct world_client; /* called when the service has signalled */
typedef void (*world_client_fn)(void);

struct world {
    uint64_t now_ns;
    uint64_t seed;
    unsigned loss_permille, reorder_permille;
    bool cut;        /* nothing passes */
    bool no_scaling; /* SYN segments lose their window scale option, as with an old peer */
    uint64_t latency_ns;
    struct netif card, peer;
    struct stack stack;
    struct leat_net_channel *channel;
    struct client *client;
    world_client_fn run_client;
    bool client_signalled, service_signalled;
    uint64_t frames, lost, to_card_bytes;
    char last_log[512];
    char all_logs[65536];
};
extern struct world world;

/* lwIP, both stations (the card's without address), the client's channel. Once in a process. */
void world_start(uint64_t seed);

/* Runs until condition() or for at most this much of the world's time; returns condition(). */
bool world_run(bool (*condition)(void), uint64_t ns);

/* What a client does after puts and gets. */
void world_signal_service(void);

uint64_t world_random(void);

/* The byte that every test stream has at an offset. */
static inline uint8_t world_byte(uint64_t offset)
{
    return (uint8_t)((offset * 0x9e3779b97f4a7c15ull) >> 56 ^ offset >> 13);
}

#endif
