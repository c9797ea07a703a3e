// SPDX-License-Identifier: BSD-2-Clause
/*
 * services/net without card and loop: the address comes and goes, and every end of a connection has its status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "net_pair.h"

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

static void the_peers_end_leaves_what_came_before(void **state)
{
    (void)state;
    open_to_peer();
    client.is_lazy = true;
    peer.to_send = 100000;
    peer_send();
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
    peer_send();
    assert_true(world_run(all_received, 10 * S));
    close_now();
    servers.dhcp_is_silent = true;
    world_run(never, 4000 * S);
    assert_int_equal(world.channel->info.state, LEAT_NET_NO_ADDRESS);
    assert_non_null(strstr(world.all_logs, "address lost"));
    servers.dhcp_is_silent = false;
    assert_true(world_run(has_address, 70 * S));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, pair_quiet)
    const struct CMUnitTest tests[] = {
        /* in this order */
        T(no_network_refuses_a_connection),
        T(dhcp_says_that_it_waits_and_goes_on),
        T(names_are_resolved),
        T(a_name_that_is_closed_while_asked_for_is_forgotten),
        T(the_peers_end_leaves_what_came_before),
        T(the_peers_reset_is_an_error),
        T(what_was_written_before_close_arrives),
        T(a_refused_connection_is_an_error),
        T(silence_times_out),
        T(bad_hosts_are_refused),
        T(a_lost_link_and_lease_come_back),
    };

    return cmocka_run_group_tests(tests, pair_start, NULL);
}
