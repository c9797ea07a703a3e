// SPDX-License-Identifier: BSD-2-Clause
/* services/net with two clients: one that takes all it can get, and one that must not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net_pair.h"

#include "lwip/priv/tcp_priv.h"

#define DEAF_PORT 4000u /* takes connections and whatever comes, and never ends one */

static struct {
    struct leat_net_channel *channel;
    struct client *client;
    struct leat_ring_end commands, events;
    uint32_t generation;
    unsigned connected, closed;
    int32_t status;
} greedy;

static void no_signal(void *context)
{
    (void)context;
}

static err_t deaf_received(void *arg, struct tcp_pcb *pcb, struct pbuf *chain, err_t error)
{
    (void)arg, (void)error;
    if (chain) {
        tcp_recved(pcb, chain->tot_len);
        pbuf_free(chain);
    }
    return ERR_OK;
}

static err_t deaf_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error == ERR_OK)
        tcp_recv(pcb, deaf_received);
    return error;
}

static int start(void **state)
{
    const ip_addr_t any = {0};
    struct tcp_pcb *listener;

    if (pair_start_with_address(state) != 0)
        return -1;
    listener = tcp_new();
    if (tcp_bind(listener, &any, DEAF_PORT) != ERR_OK)
        return -1;
    listener = tcp_listen(listener);
    tcp_accept(listener, deaf_accept);
    greedy.channel = aligned_alloc(4096, sizeof(*greedy.channel));
    memset(greedy.channel, 0, sizeof(*greedy.channel));
    greedy.client = stack_add_client(&world.stack, greedy.channel, no_signal, NULL);
    leat_ring_join(&greedy.commands, greedy.channel->commands, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_command), true);
    leat_ring_join(&greedy.events, greedy.channel->events, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_event), false);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    client_stop(greedy.client);
    free(greedy.channel);
    return 0;
}

static void read_events(void)
{
    struct leat_net_event event;

    while (leat_ring_get(&greedy.events, &event) == LEAT_OK) {
        greedy.connected += event.kind == LEAT_NET_CONNECTED;
        if (event.kind == LEAT_NET_CLOSED) {
            greedy.closed++;
            greedy.status = event.status;
        }
    }
}

static void ask(uint32_t op, uint32_t slot)
{
    struct leat_net_command entry = {op, slot, greedy.generation, 0};

    assert_int_equal(leat_ring_put(&greedy.commands, &entry), LEAT_OK);
}

static void ask_connection(uint32_t slot, const char *host, uint16_t port)
{
    snprintf(greedy.channel->slots[slot].host, sizeof(greedy.channel->slots[slot].host), "%s",
             host);
    greedy.channel->slots[slot].port = port;
    ask(LEAT_NET_CONNECT, slot);
}

static void work(uint64_t ns)
{
    world_signal_service();
    world_run(never, ns);
    read_events();
}

static bool is_connected(void)
{
    return client.is_connected;
}

static uint32_t lingering(void)
{
    return slot_count_lingering(&greedy.client->account);
}

/* The peer never agrees to an end: what lwIP holds for that is bounded, and the other gets its connection. */
static void closed_connections_are_not_kept_without_bound(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        greedy.generation++;
        ask_connection(i % LEAT_NET_SLOTS, "10.1.0.2", DEAF_PORT);
        work(S / 10);
        ask(LEAT_NET_CLOSE, i % LEAT_NET_SLOTS);
        work(S / 10);
    }
    assert_int_equal(greedy.connected, 30);
    assert_int_equal(greedy.closed, 30);
    assert_int_equal(lingering(), SLOT_MAX_LINGERING);
    open_to_peer();
    close_now();
}

/* Nothing is acknowledged: one client's bytes fill its part, and the other's are still taken. */
static void queued_bytes_leave_the_others_their_part(void **state)
{
    static uint8_t bytes[LEAT_NET_TX_BYTES];
    struct leat_ring_end tx;

    (void)state;
    greedy.generation++;
    greedy.connected = 0;
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++)
        ask_connection(i, "10.1.0.2", DEAF_PORT);
    open_to_peer();
    work(S);
    assert_int_equal(greedy.connected, LEAT_NET_SLOTS);
    world.cut = true;
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
        leat_ring_join(&tx, greedy.channel->slots[i].tx, LEAT_NET_TX_BYTES, 1, true);
        leat_ring_write(&tx, bytes, sizeof bytes);
    }
    work(S / 10);
    /* One write may go beyond it by its own segments. */
    assert_in_range(greedy.client->account.queued, SLOT_MAX_QUEUED, SLOT_MAX_QUEUED + 12);
    client.to_send = 200000;
    client_run();
    work(S / 10);
    assert_int_equal(client.sent, client.to_send);
    assert_int_equal(leat_ring_writable(&client.tx), LEAT_NET_TX_BYTES);
    world.cut = false;
    assert_true(world_run(all_sent, 60 * S));
    assert_int_equal(peer.wrong, 0);
    for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++)
        ask(LEAT_NET_CLOSE, i);
    work(S);
    close_now();
}

static void commands_of_a_round_are_bounded(void **state)
{
    (void)state;
    greedy.generation++;
    for (uint32_t i = 0; i < LEAT_NET_RING_COUNT; i++)
        ask(i % 2 ? LEAT_NET_CLOSE : LEAT_NET_CONNECT, 0);
    client_serve(greedy.client, true);
    assert_int_equal(leat_ring_writable(&greedy.commands), 2 * LEAT_NET_SLOTS);
    assert_false(client_may_sleep(greedy.client));
    work(S);
    assert_int_equal(leat_ring_writable(&greedy.commands), LEAT_NET_RING_COUNT);
}

/* No name server answers: one client asks for ever new names, and the other's is still asked for. */
static void lookups_leave_the_others_their_part(void **state)
{
    char name[64];

    (void)state;
    world.cut = true;
    greedy.closed = 0;
    for (unsigned round = 0; round < 8; round++) {
        greedy.generation++;
        for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++) {
            snprintf(name, sizeof name, "name-%u-%u.test", round, i);
            ask_connection(i, name, 80);
        }
        work(S / 100);
        for (uint32_t i = 0; i < LEAT_NET_SLOTS; i++)
            ask(LEAT_NET_CLOSE, i);
        work(S / 100);
    }
    assert_int_equal(greedy.client->account.resolving, LEAT_NET_SLOTS);
    assert_int_equal(greedy.closed, 8 * LEAT_NET_SLOTS);
    connect_to("server.test", WORLD_PORT);
    world.cut = false;
    assert_true(world_run(is_connected, 30 * S));
    close_now();
    work(30 * S);
    assert_int_equal(greedy.client->account.resolving, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, pair_quiet)
    const struct CMUnitTest tests[] = {
        T(closed_connections_are_not_kept_without_bound),
        T(queued_bytes_leave_the_others_their_part),
        T(commands_of_a_round_are_bounded),
        T(lookups_leave_the_others_their_part),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
