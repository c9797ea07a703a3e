// SPDX-License-Identifier: BSD-2-Clause
/*
 * services/net without card and loop, against a peer on a wire that loses and reorders: every byte
 * arrives once and in order, nobody stands still, nobody overruns anybody, every end of a
 * connection has its status, and a client that breaks its memory harms only itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net_servers.h"
#include "net_world.h"

#define MIB (1ull << 20)
#define S 1000000000ull

/* -- the peer's TCP server: one connection at a time -- */

static struct {
    struct tcp_pcb *pcb;
    uint64_t to_send, sent, received, wrong;
    bool ended, is_deaf; /* deaf: takes nothing */
    uint64_t held;
    err_t error;
} peer;

static void peer_send(void)
{
    uint8_t block[1460 * 4];

    while (peer.pcb && peer.sent < peer.to_send) {
        uint64_t left = peer.to_send - peer.sent;
        unsigned count = left < sizeof(block) ? (unsigned)left : sizeof(block);
        if (count > tcp_sndbuf(peer.pcb))
            count = tcp_sndbuf(peer.pcb);
        for (unsigned i = 0; i < count; i++)
            block[i] = world_byte(peer.sent + i);
        if (!count || tcp_write(peer.pcb, block, (u16_t)count, TCP_WRITE_FLAG_COPY) != ERR_OK)
            break;
        peer.sent += count;
    }
    if (peer.pcb)
        tcp_output(peer.pcb);
}

static err_t peer_on_sent(void *arg, struct tcp_pcb *pcb, u16_t length)
{
    (void)arg, (void)pcb, (void)length;
    peer_send();
    return ERR_OK;
}

static err_t peer_on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *chain, err_t error)
{
    (void)arg, (void)error;
    if (!chain) {
        peer.ended = true;
        tcp_close(pcb);
        peer.pcb = NULL;
        return ERR_OK;
    }
    for (struct pbuf *part = chain; part; part = part->next) {
        for (unsigned i = 0; i < part->len; i++)
            peer.wrong += ((uint8_t *)part->payload)[i] != world_byte(peer.received + i);
        peer.received += part->len;
    }
    if (peer.is_deaf)
        peer.held += chain->tot_len;
    else
        tcp_recved(pcb, chain->tot_len);
    pbuf_free(chain);
    return ERR_OK;
}

static void peer_on_error(void *arg, err_t error)
{
    (void)arg;
    peer.error = error;
    peer.pcb = NULL;
}

static err_t peer_on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    (void)arg;
    if (error != ERR_OK)
        return error;
    peer.pcb = pcb;
    tcp_recv(pcb, peer_on_received);
    tcp_sent(pcb, peer_on_sent);
    tcp_err(pcb, peer_on_error);
    peer_send();
    return ERR_OK;
}

/* -- the client: one slot at a time -- */

static struct {
    struct leat_ring_end commands, events, tx, rx;
    uint32_t slot, generation;
    bool is_connected, is_closed, is_lazy; /* lazy: reads nothing */
    int32_t status;
    uint64_t received, wrong, sent, to_send;
    unsigned link_events, busy_events;
} client;

static void client_events(void)
{
    struct leat_net_event event;

    while (leat_ring_get(&client.events, &event) == LEAT_OK) {
        if (event.kind == LEAT_NET_LINK) {
            client.link_events++;
        } else if (event.kind == LEAT_NET_CLOSED && event.status == LEAT_EBUSY) {
            client.busy_events++;
        } else if (event.generation == client.generation) {
            assert_int_equal(event.slot, client.slot);
            if (event.kind == LEAT_NET_CONNECTED) {
                assert_false(client.is_connected || client.is_closed);
                client.is_connected = true;
                leat_ring_join(&client.tx, world.channel->slots[client.slot].tx, LEAT_NET_TX_BYTES,
                               1, true);
                leat_ring_join(&client.rx, world.channel->slots[client.slot].rx, LEAT_NET_RX_BYTES,
                               1, false);
            } else {
                assert_false(client.is_closed);
                client.is_closed = true;
                client.status = event.status;
            }
        }
    }
}

static void client_bytes(void)
{
    uint32_t count;
    const uint8_t *in;

    while (!client.is_lazy && (in = leat_ring_piece(&client.rx, &count))) {
        for (uint32_t i = 0; i < count; i++)
            client.wrong += in[i] != world_byte(client.received + i);
        client.received += count;
        leat_ring_advance(&client.rx, count);
    }
    uint8_t *out;
    while (client.sent < client.to_send && (out = leat_ring_piece(&client.tx, &count))) {
        if (count > client.to_send - client.sent)
            count = (uint32_t)(client.to_send - client.sent);
        for (uint32_t i = 0; i < count; i++)
            out[i] = world_byte(client.sent + i);
        client.sent += count;
        leat_ring_advance(&client.tx, count);
    }
}

/* Works until it may sleep, as a process of Leat does. */
static void client_run(void)
{
    bool more;

    do {
        client_events();
        if (client.is_connected)
            client_bytes();
        bool signal = leat_ring_must_signal(&client.events);
        signal |= leat_ring_must_signal(&client.commands);
        if (client.is_connected) {
            signal |= leat_ring_must_signal(&client.rx);
            signal |= leat_ring_must_signal(&client.tx);
        }
        if (signal)
            world_signal_service();
        more = !leat_ring_may_sleep(&client.events);
        if (client.is_connected && !client.is_lazy)
            more |= !leat_ring_may_sleep(&client.rx);
        if (client.is_connected && client.sent < client.to_send)
            more |= !leat_ring_may_sleep(&client.tx);
    } while (more);
}

static void command(uint32_t op)
{
    struct leat_net_command entry = {op, client.slot, client.generation, 0};

    assert_int_equal(leat_ring_put(&client.commands, &entry), LEAT_OK);
    if (leat_ring_must_signal(&client.commands))
        world_signal_service();
}

static void connect_to(const char *host, uint16_t port)
{
    uint32_t generation = client.generation + 1, slot = generation % LEAT_NET_SLOTS;
    struct leat_ring_end commands = client.commands, events = client.events;
    unsigned links = client.link_events;

    memset(&client, 0, sizeof(client));
    memset(&peer, 0, sizeof(peer));
    client.commands = commands;
    client.events = events;
    client.generation = generation;
    client.slot = slot;
    client.link_events = links;
    snprintf(world.channel->slots[slot].host, sizeof(world.channel->slots[slot].host), "%s", host);
    world.channel->slots[slot].port = port;
    command(LEAT_NET_CONNECT);
}

static bool is_open(void)
{
    return client.is_connected && peer.pcb;
}
static bool is_closed(void)
{
    return client.is_closed;
}
static bool has_address(void)
{
    return world.channel->info.state == LEAT_NET_UP;
}
static bool never(void)
{
    return false;
}
static bool all_received(void)
{
    return client.received == peer.to_send;
}
static bool all_sent(void)
{
    return peer.received == client.to_send;
}
static bool all_both_ways(void)
{
    return all_received() && all_sent();
}
static bool peer_ended(void)
{
    return peer.ended || !peer.pcb;
}

static void open_to_peer(void)
{
    connect_to("10.1.0.2", WORLD_PORT);
    assert_true(world_run(is_open, 10 * S));
}

static void close_now(void)
{
    command(LEAT_NET_CLOSE);
    assert_true(world_run(is_closed, 5 * S));
    assert_int_equal(client.status, LEAT_OK);
    world_run(peer_ended, 5 * S);
}

static void kick_peer(void)
{
    peer_send();
}

static int quiet(void **state)
{
    (void)state;
    world.loss_permille = world.reorder_permille = 0;
    world.cut = world.no_scaling = false;
    return 0;
}

static int start(void **state)
{
    const ip_addr_t any = {0};

    (void)state;
    world_start(1);
    servers_start();
    struct tcp_pcb *listener = tcp_new();
    if (tcp_bind(listener, &any, WORLD_PORT) != ERR_OK)
        return -1;
    listener = tcp_listen(listener);
    tcp_accept(listener, peer_on_accept);
    leat_ring_join(&client.commands, world.channel->commands, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_command), true);
    leat_ring_join(&client.events, world.channel->events, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_event), false);
    world.run_client = client_run;
    client_run();
    world_signal_service();
    return 0;
}

/* -- tests, in this order -- */

static void no_network_refuses_a_connection(void **state)
{
    struct net_config config = {.use_dhcp = true};

    (void)state;
    servers.dhcp_is_silent = true;
    net_address_start(&world.stack.address, &world.card, &config, "");
    connect_to("10.1.0.2", WORLD_PORT);
    assert_true(world_run(is_closed, 1 * S));
    assert_int_equal(client.status, LEAT_EAGAIN);
    assert_int_equal(world.channel->info.state, LEAT_NET_NO_LINK);
}

static void dhcp_says_that_it_waits_and_goes_on(void **state)
{
    (void)state;
    net_address_set_link(&world.stack.address, true, 1000);
    assert_string_equal(world.last_log, "link up, 1000 Mbit/s");
    world_run(never, 100 * S);
    assert_int_equal(world.channel->info.state, LEAT_NET_NO_ADDRESS);
    assert_non_null(strstr(world.last_log, "tries); still trying"));
    assert_non_null(strstr(world.all_logs, "no DHCP answer yet (5 s, 2 tries); still trying"));
    assert_true(servers.dhcp_requests >= 5);
    servers.dhcp_is_silent = false;
    assert_true(world_run(has_address, 70 * S));
    assert_string_equal(
        world.last_log,
        "address 10.1.0.1/24 by DHCP from 10.1.0.2, gateway 10.1.0.2, DNS 10.1.0.2");
    world_run(never, S / 10);
    assert_true(client.link_events >= 3);
    assert_int_equal(world.channel->info.ipv4, WORLD_CARD_IP);
}

static void names_are_resolved(void **state)
{
    (void)state;
    connect_to("server.test", WORLD_PORT);
    assert_true(world_run(is_open, 10 * S));
    close_now();
    connect_to("nowhere.test", WORLD_PORT);
    assert_true(world_run(is_closed, 30 * S));
    assert_int_equal(client.status, LEAT_ENOENT);
    assert_false(client.is_connected);
}

static void a_name_that_is_closed_while_asked_for_is_forgotten(void **state)
{
    (void)state;
    world.cut = true;
    connect_to("server2.test", WORLD_PORT);
    command(LEAT_NET_CLOSE);
    assert_true(world_run(is_closed, 1 * S));
    assert_int_equal(client.status, LEAT_OK);
    world.cut = false;
    world_run(never, 20 * S);
    assert_false(client.is_connected);
}

static void bulk_download_over_a_bad_wire(void **state)
{
    (void)state;
    open_to_peer();
    world.loss_permille = 10;
    world.reorder_permille = 20;
    peer.to_send = 64 * MIB;
    kick_peer();
    assert_true(world_run(all_received, 3000 * S));
    assert_int_equal(client.wrong, 0);
    close_now();
}

static void bulk_upload_over_a_bad_wire(void **state)
{
    (void)state;
    open_to_peer();
    world.loss_permille = 10;
    world.reorder_permille = 20;
    client.to_send = 64 * MIB;
    client_run();
    assert_true(world_run(all_sent, 3000 * S));
    assert_int_equal(peer.wrong, 0);
    close_now();
}

static void both_ways_at_once(void **state)
{
    (void)state;
    open_to_peer();
    world.loss_permille = 5;
    client.to_send = peer.to_send = 8 * MIB;
    client_run();
    kick_peer();
    assert_true(world_run(all_both_ways, 3000 * S));
    assert_int_equal(peer.wrong + client.wrong, 0);
    close_now();
}

static void a_good_wire_is_used_well(void **state)
{
    (void)state;
    open_to_peer();
    uint64_t start_ns = world.now_ns;
    peer.to_send = 64 * MIB;
    kick_peer();
    assert_true(world_run(all_received, 100 * S));
    /* 4 ms there and back and a send buffer of 256 KiB: 64 MiB/s at best. */
    assert_true(world.now_ns - start_ns < 2 * S);
    close_now();
}

/* Some servers and many emulators have no window scaling: then the window is shut after 64 KiB, and
   each read of the client must open it at once, not at the next timer. */
static void an_old_peer_is_used_well_too(void **state)
{
    (void)state;
    world.no_scaling = true;
    open_to_peer();
    uint64_t start_ns = world.now_ns;
    peer.to_send = 16 * MIB;
    kick_peer();
    assert_true(world_run(all_received, 100 * S));
    /* 4 ms there and back for 64 KiB: 16 MiB/s at best. */
    assert_true(world.now_ns - start_ns < 3 * S / 2);
    close_now();
}

static void a_client_that_does_not_read_stops_the_peer(void **state)
{
    (void)state;
    open_to_peer();
    client.is_lazy = true;
    peer.to_send = 4 * MIB;
    kick_peer();
    uint64_t before = world.to_card_bytes;
    world_run(never, 60 * S);
    assert_true(world.to_card_bytes - before < LEAT_NET_RX_BYTES * 11 / 10);
    assert_true(leat_ring_readable(&client.rx) > LEAT_NET_RX_BYTES - TCP_MSS);
    assert_false(client.is_closed);
    client.is_lazy = false;
    client_run();
    assert_true(world_run(all_received, 60 * S));
    assert_int_equal(client.wrong, 0);
    close_now();
}

static void a_peer_that_does_not_read_stops_the_client(void **state)
{
    (void)state;
    open_to_peer();
    peer.is_deaf = true;
    client.to_send = 4 * MIB;
    client_run();
    world_run(never, 60 * S);
    assert_true(peer.received <= TCP_WND);
    assert_true(client.sent <= TCP_WND + TCP_SND_BUF + LEAT_NET_TX_BYTES);
    peer.is_deaf = false;
    for (; peer.held > 0; peer.held -= peer.held < 0xffff ? peer.held : 0xffff)
        tcp_recved(peer.pcb, (u16_t)(peer.held < 0xffff ? peer.held : 0xffff));
    assert_true(world_run(all_sent, 60 * S));
    assert_int_equal(peer.wrong, 0);
    close_now();
}

static void the_peers_end_leaves_what_came_before(void **state)
{
    (void)state;
    open_to_peer();
    client.is_lazy = true;
    peer.to_send = 100000;
    kick_peer();
    world_run(never, S);
    tcp_close(peer.pcb);
    assert_true(world_run(is_closed, 5 * S));
    assert_int_equal(client.status, LEAT_OK);
    client.is_lazy = false;
    client_bytes();
    assert_int_equal(client.received, 100000);
    assert_int_equal(client.wrong, 0);
    world_run(never, 5 * S);
    assert_int_equal(peer.error, ERR_OK);
}

static void the_peers_reset_is_an_error(void **state)
{
    (void)state;
    open_to_peer();
    struct tcp_pcb *pcb = peer.pcb;
    peer.pcb = NULL;
    tcp_err(pcb, NULL);
    tcp_abort(pcb);
    assert_true(world_run(is_closed, 5 * S));
    assert_int_equal(client.status, LEAT_EIO);
}

static void what_was_written_before_close_arrives(void **state)
{
    (void)state;
    open_to_peer();
    client.to_send = 20000;
    client_run();
    world_run(never, S / 1000);
    close_now();
    assert_int_equal(peer.received, 20000);
    assert_true(peer.ended);
}

static void a_refused_connection_is_an_error(void **state)
{
    (void)state;
    connect_to("10.1.0.2", 9);
    assert_true(world_run(is_closed, 5 * S));
    assert_int_equal(client.status, LEAT_EIO);
    assert_false(client.is_connected);
}

static void silence_times_out(void **state)
{
    (void)state;
    connect_to("10.1.0.9", WORLD_PORT);
    assert_true(world_run(is_closed, 20 * S));
    assert_int_equal(client.status, LEAT_ETIMEDOUT);
    open_to_peer();
    world.cut = true;
    assert_false(world_run(is_closed, 25 * S));
    assert_true(world_run(is_closed, 10 * S)); /* keep-alive: 10 s, then 4 times 5 s */
    assert_int_equal(client.status, LEAT_ETIMEDOUT);
    world.cut = false;
    tcp_abort(peer.pcb);
}

static void bad_hosts_are_refused(void **state)
{
    (void)state;
    connect_to("", WORLD_PORT);
    assert_true(world_run(is_closed, S));
    assert_int_equal(client.status, LEAT_EINVAL);
    connect_to("10.1.0.2", 0);
    assert_true(world_run(is_closed, S));
    assert_int_equal(client.status, LEAT_EINVAL);
    connect_to("x", WORLD_PORT);
    memset(world.channel->slots[client.slot].host, 'x', 128);
    assert_true(world_run(is_closed, S));
    assert_int_equal(client.status, LEAT_EINVAL);
}

static void a_slot_in_use_is_refused_and_unharmed(void **state)
{
    (void)state;
    open_to_peer();
    client.generation++;
    command(LEAT_NET_CONNECT);
    client.generation--;
    world_run(never, S);
    assert_int_equal(client.busy_events, 1);
    peer.to_send = 1000;
    kick_peer();
    assert_true(world_run(all_received, S));
    close_now();
    client.generation++;
}

static void indices_that_cannot_be_end_the_connection(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        open_to_peer();
        struct leat_ring *rx = (void *)world.channel->slots[client.slot].rx;
        struct leat_ring *tx = (void *)world.channel->slots[client.slot].tx;
        client.is_lazy = true;
        peer.to_send = 300000;
        kick_peer();
        world_run(never, S);
        switch (kind) {
        case 0: /* takes more than there is */
            rx->tail = rx->head + 1;
            break;
        case 1: /* gives back what it took */
            rx->tail = 200000;
            world_signal_service();
            world_run(never, S);
            rx->tail = 100000;
            break;
        case 2: /* gives more than fits */
            tx->head = tx->tail + LEAT_NET_TX_BYTES + 1;
            break;
        case 3: /* while bytes arrive */
            rx->tail = rx->head - LEAT_NET_RX_BYTES;
            peer.to_send += 100000;
            kick_peer();
            break;
        }
        world_signal_service();
        assert_true(world_run(is_closed, 5 * S));
        assert_int_equal(client.status, LEAT_EPROTO);
        world_run(never, S);
        assert_null(peer.pcb);
    }
}

/* Random values in every shared word, again and again, while bytes flow. */
static void random_shared_memory_harms_nobody(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        open_to_peer();
        peer.to_send = 2 * MIB;
        client.is_lazy = true;
        kick_peer();
        for (int i = 0; i < 40 && !client.is_closed; i++) {
            struct leat_net_slot *slot = &world.channel->slots[client.slot];
            struct leat_ring *ring = (void *)(world_random() % 2 ? slot->rx : slot->tx);
            uint32_t *word = world_random() % 2 ? &ring->head : &ring->tail;
            *word += (uint32_t)(world_random() >> (32 + world_random() % 30));
            ring->consumer_waits = ring->producer_waits = (uint32_t)world_random();
            slot->port = (uint16_t)world_random();
            world_signal_service();
            world_run(never, S / 200);
        }
        if (!client.is_closed)
            command(LEAT_NET_CLOSE);
        assert_true(world_run(is_closed, 5 * S));
        world_run(peer_ended, 5 * S);
    }
}

static void a_lost_link_and_lease_come_back(void **state)
{
    (void)state;
    open_to_peer();
    world.cut = true;
    net_address_set_link(&world.stack.address, false, 0);
    world_run(never, S);
    assert_int_equal(world.channel->info.state, LEAT_NET_NO_LINK);
    world.cut = false;
    net_address_set_link(&world.stack.address, true, 100);
    assert_true(world_run(has_address, 10 * S));
    peer.to_send = MIB;
    kick_peer();
    assert_true(world_run(all_received, 10 * S));
    close_now();
    servers.dhcp_is_silent = true;
    world_run(never, 4000 * S);
    assert_int_equal(world.channel->info.state, LEAT_NET_NO_ADDRESS);
    assert_non_null(strstr(world.all_logs, "address lost"));
    servers.dhcp_is_silent = false;
    assert_true(world_run(has_address, 70 * S));
}

/* Last: the client is not served after it. */
static void nonsense_commands_end_the_client_only(void **state)
{
    (void)state;
    open_to_peer();
    client.slot = LEAT_NET_SLOTS;
    command(LEAT_NET_CONNECT);
    world_run(never, 5 * S);
    assert_null(peer.pcb);
    assert_true(world.client->is_broken);
    for (int i = 0; i < 100; i++) {
        memset(world.channel, (int)world_random(), sizeof(*world.channel));
        world_signal_service();
        world_run(never, S / 10);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, quiet)
    const struct CMUnitTest tests[] = {
        T(no_network_refuses_a_connection),
        T(dhcp_says_that_it_waits_and_goes_on),
        T(names_are_resolved),
        T(a_name_that_is_closed_while_asked_for_is_forgotten),
        T(bulk_download_over_a_bad_wire),
        T(bulk_upload_over_a_bad_wire),
        T(both_ways_at_once),
        T(a_good_wire_is_used_well),
        T(an_old_peer_is_used_well_too),
        T(a_client_that_does_not_read_stops_the_peer),
        T(a_peer_that_does_not_read_stops_the_client),
        T(the_peers_end_leaves_what_came_before),
        T(the_peers_reset_is_an_error),
        T(what_was_written_before_close_arrives),
        T(a_refused_connection_is_an_error),
        T(silence_times_out),
        T(bad_hosts_are_refused),
        T(a_slot_in_use_is_refused_and_unharmed),
        T(indices_that_cannot_be_end_the_connection),
        T(random_shared_memory_harms_nobody),
        T(a_lost_link_and_lease_come_back),
        T(nonsense_commands_end_the_client_only),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
