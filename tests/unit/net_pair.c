// SPDX-License-Identifier: BSD-2-Clause
#include "net_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct net_peer peer;
struct net_client client;

void peer_send(void)
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

void client_bytes(void)
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

void client_run(void)
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

void command(uint32_t op)
{
    struct leat_net_command entry = {op, client.slot, client.generation, 0};

    assert_int_equal(leat_ring_put(&client.commands, &entry), LEAT_OK);
    if (leat_ring_must_signal(&client.commands))
        world_signal_service();
}

void connect_to(const char *host, uint16_t port)
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

bool is_open(void)
{
    return client.is_connected && peer.pcb;
}

bool is_closed(void)
{
    return client.is_closed;
}

bool has_address(void)
{
    return world.channel->info.state == LEAT_NET_UP;
}

bool never(void)
{
    return false;
}

bool all_received(void)
{
    return client.received == peer.to_send;
}

bool all_sent(void)
{
    return peer.received == client.to_send;
}

bool all_both_ways(void)
{
    return all_received() && all_sent();
}

bool peer_ended(void)
{
    return peer.ended || !peer.pcb;
}

void open_to_peer(void)
{
    connect_to("10.1.0.2", WORLD_PORT);
    assert_true(world_run(is_open, 10 * S));
}

void close_now(void)
{
    command(LEAT_NET_CLOSE);
    assert_true(world_run(is_closed, 5 * S));
    assert_int_equal(client.status, LEAT_OK);
    world_run(peer_ended, 5 * S);
}

int pair_quiet(void **state)
{
    (void)state;
    world.loss_permille = world.reorder_permille = 0;
    world.cut = world.no_scaling = false;
    return 0;
}

int pair_start(void **state)
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

int pair_start_with_address(void **state)
{
    struct net_config config = {.use_dhcp = true};

    if (pair_start(state) != 0)
        return -1;
    net_address_start(&world.stack.address, &world.card, &config, "");
    net_address_set_link(&world.stack.address, true, 1000);
    return world_run(has_address, 70 * S) ? 0 : -1;
}
