// SPDX-License-Identifier: BSD-2-Clause
/* A client of the service: one net channel (include/leat/net.h) with its slots. The channel's
   memory is the client's as much as ours, and is not trusted. */
#ifndef SERVICES_NET_CLIENT_H
#define SERVICES_NET_CLIENT_H

#include "services/net/slot.h"

struct client {
    struct leat_net_channel *shared; /* NULL: not in use */
    void (*signal)(void *context);   /* wakes the client */
    void *context;
    struct leat_ring_end commands, events;
    bool owes_link;              /* a LINK event */
    bool is_touched;             /* commands or events moved since the client was last signalled */
    bool is_broken;              /* its rings made no sense: not served any more */
    struct slot_account account; /* outlives the client: lwIP has not answered all of its lookups */
    struct slot slots[LEAT_NET_SLOTS];
};

/* shared: sizeof(struct leat_net_channel) bytes, mapped until client_stop. */
void client_start(struct client *client, struct leat_net_channel *shared,
                  void (*signal)(void *context), void *context);

/* Resets its connections; the shared memory is not touched any more. */
void client_stop(struct client *client);

/* Tells the client about the network's new state. */
void client_set_info(struct client *client, const struct leat_net_info *info);

/* A bounded part of its commands, bytes, events; then signals the client if it waits. */
void client_serve(struct client *client, bool network_is_up);

/* True: nothing to do, and the client will signal when that changes. */
bool client_may_sleep(struct client *client);

#endif
