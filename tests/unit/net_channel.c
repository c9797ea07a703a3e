// SPDX-License-Identifier: BSD-2-Clause
#include "net_channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct leat_net_channel *shared;
struct net_conns conns;
struct leat_ring_end commands, events;
struct leat_ring_end net_tx, net_rx;
unsigned connects, closes;
char last_why[200];

static void on_connected(void *owner)
{
    (void)owner;
    connects++;
}
static void on_progress(void *owner)
{
    (void)owner;
}
static void on_closed(void *owner, const char *why)
{
    (void)owner;
    closes++;
    snprintf(last_why, sizeof last_why, "%s", why);
}
const struct vdisk_conn_events conn_events = {on_connected, on_progress, on_closed};

static void no_signal(void *ctx)
{
    (void)ctx;
}

void begin_channel(void)
{
    shared = aligned_alloc(4096, sizeof *shared);
    memset(shared, 0, sizeof *shared);
    net_conns_init(&conns, shared, no_signal, NULL);
    leat_ring_join(&commands, shared->commands, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_command), false);
    leat_ring_join(&events, shared->events, LEAT_NET_RING_COUNT, sizeof(struct leat_net_event),
                   true);
    connects = closes = 0;
}

void end_channel(void)
{
    free(shared);
}

struct leat_net_command next_command(void)
{
    struct leat_net_command c;
    assert_int_equal(leat_ring_get(&commands, &c), LEAT_OK);
    return c;
}

void join_slot(struct leat_net_command c)
{
    leat_ring_join(&net_tx, shared->slots[c.slot].tx, LEAT_NET_TX_BYTES, 1, false);
    leat_ring_join(&net_rx, shared->slots[c.slot].rx, LEAT_NET_RX_BYTES, 1, true);
}

void tell(uint32_t kind, struct leat_net_command c, int32_t status)
{
    struct leat_net_event e = {kind, c.slot, c.generation, status};
    assert_int_equal(leat_ring_put(&events, &e), LEAT_OK);
    net_conns_run(&conns);
}
