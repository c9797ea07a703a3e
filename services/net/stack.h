// SPDX-License-Identifier: BSD-2-Clause
/*
 * The service without its card and its loop: lwIP, the network's state and the clients. One round
 * of work is net_receive by the card's side, then stack_serve, then the card's flush.
 */
#ifndef SERVICES_NET_STACK_H
#define SERVICES_NET_STACK_H

#include "services/net/address.h"
#include "services/net/client.h"

#define STACK_MAX_CLIENTS 4u
#define STACK_NEVER UINT64_MAX

struct stack {
    struct net_address address;
    struct client clients[STACK_MAX_CLIENTS];
};

/* Starts lwIP: once in a process, before any netif is added. */
void stack_init(struct stack *stack);

/* See client_start. NULL: there are STACK_MAX_CLIENTS already. */
struct client *stack_add_client(struct stack *stack, struct leat_net_channel *shared,
                                void (*signal)(void *context), void *context);

/* Timers that are due, the network's state, all clients. Returns true if there is work left. */
bool stack_serve(struct stack *stack);

/* Net clock time of the next timer; STACK_NEVER: none. */
uint64_t stack_deadline_ns(void);

#endif
