// SPDX-License-Identifier: BSD-2-Clause
/*
 * services/net against a peer on a wire that loses and reorders: every byte arrives once and in order, nobody stands still,
 * nobody overruns anybody.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net_pair.h"

static void bulk_download_over_a_bad_wire(void **state)
{
    (void)state;
    open_to_peer();
    world.loss_permille = 10;
    world.reorder_permille = 20;
    peer.to_send = 64 * MIB;
    peer_send();
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
    peer_send();
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
    peer_send();
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
    peer_send();
    assert_true(world_run(all_received, 100 * S));
    /* 4 ms there and back for 64 KiB: 16 MiB/s at best; two thirds when the window opens in a bad rhythm. */
    assert_true(world.now_ns - start_ns < 2 * S);
    close_now();
}

static void a_client_that_does_not_read_stops_the_peer(void **state)
{
    (void)state;
    open_to_peer();
    client.is_lazy = true;
    peer.to_send = 4 * MIB;
    peer_send();
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

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, pair_quiet)
    const struct CMUnitTest tests[] = {
        T(bulk_download_over_a_bad_wire),
        T(bulk_upload_over_a_bad_wire),
        T(both_ways_at_once),
        T(a_good_wire_is_used_well),
        T(an_old_peer_is_used_well_too),
        T(a_client_that_does_not_read_stops_the_peer),
        T(a_peer_that_does_not_read_stops_the_client),
    };

    return cmocka_run_group_tests(tests, pair_start_with_address, NULL);
}
