// SPDX-License-Identifier: BSD-2-Clause
/* services/net and a client that breaks the memory which they share: it harms only itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net_pair.h"

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
    peer_send();
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
        peer_send();
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
            peer_send();
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
        peer_send();
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
#define T(name) cmocka_unit_test_setup(name, pair_quiet)
    const struct CMUnitTest tests[] = {
        T(a_slot_in_use_is_refused_and_unharmed),
        T(indices_that_cannot_be_end_the_connection),
        T(random_shared_memory_harms_nobody),
        T(nonsense_commands_end_the_client_only),
    };

    return cmocka_run_group_tests(tests, pair_start_with_address, NULL);
}
