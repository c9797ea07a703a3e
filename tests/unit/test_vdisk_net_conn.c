// SPDX-License-Identifier: BSD-2-Clause
/* Shows that connections over the net channel open, move bytes, end and are reused, whatever net
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/net_channel.h"
#include "vdisk/service/config.h"

static int begin(void **state)
{
    (void)state;
    begin_channel();
    return 0;
}

static int end(void **state)
{
    (void)state;
    end_channel();
    return 0;
}

static void test_life(void **state)
{
    (void)state;
    uint8_t bytes[100];
    struct net_conn *c = net_conn_open(&conns, "10.0.2.2", 10809, &conn_events, NULL);
    assert_int_equal(net_conn_send(c, "x", 1), 0); /* not connected yet */
    struct leat_net_command open = next_command();
    assert_int_equal(open.op, LEAT_NET_CONNECT);
    assert_string_equal(shared->slots[open.slot].host, "10.0.2.2");
    assert_int_equal(shared->slots[open.slot].port, 10809);
    tell(LEAT_NET_CONNECTED, open, LEAT_OK);
    assert_int_equal(connects, 1);
    assert_int_equal(net_conn_send(c, "hello", 5), 5);
    join_slot(open);
    assert_int_equal(leat_ring_read(&net_tx, bytes, 100), 5);
    leat_ring_write(&net_rx, "world", 5);
    assert_false(net_conns_may_sleep(&conns));
    tell(LEAT_NET_CLOSED, open, LEAT_EIO);
    assert_int_equal(closes, 1);
    assert_int_equal(net_conn_receive(c, bytes, 100), 5); /* what had arrived before */
    assert_memory_equal(bytes, "world", 5);
    net_conn_close(c);
    assert_int_equal(leat_ring_readable(&commands), 0); /* net knows already */
    assert_true(net_conns_may_sleep(&conns));
}

static void test_slot_waits_for_net(void **state)
{
    (void)state;
    struct net_conn *c = net_conn_open(&conns, "h", 1, &conn_events, NULL);
    struct leat_net_command open = next_command();
    tell(LEAT_NET_CONNECTED, open, LEAT_OK);
    net_conn_close(c);
    assert_int_equal(next_command().op, LEAT_NET_CLOSE);
    struct net_conn *d = net_conn_open(&conns, "h", 1, &conn_events, NULL);
    assert_ptr_not_equal(c, d);
    next_command();
    tell(LEAT_NET_CLOSED, open, LEAT_OK);
    assert_int_equal(closes, 0); /* the engine had closed it: it is not told */
    assert_ptr_equal(net_conn_open(&conns, "h", 1, &conn_events, NULL), c);
    tell(LEAT_NET_CONNECTED, open, LEAT_OK); /* of the connection before */
    assert_int_equal(connects, 1);
}

static void test_hostile_net(void **state)
{
    (void)state;
    struct net_conn *c = net_conn_open(&conns, "h", 1, &conn_events, NULL);
    struct leat_net_command open = next_command(), wrong = open;
    wrong.slot = UINT32_MAX;
    tell(LEAT_NET_CONNECTED, wrong, LEAT_OK);
    tell(77, open, LEAT_OK);
    tell(LEAT_NET_CONNECTED, open, LEAT_OK);
    tell(LEAT_NET_CONNECTED, open, LEAT_OK);
    assert_int_equal(connects, 1);
    uint8_t bytes[8];
    ((struct leat_ring *)(void *)shared->slots[open.slot].rx)->head = 0x80000000u;
    assert_int_equal(net_conn_receive(c, bytes, 8), 0);
    net_conns_run(&conns);
    assert_int_equal(closes, 1);
    assert_non_null(strstr(last_why, "broken"));
}

static void test_no_more_slots(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LEAT_NET_SLOTS; i++)
        assert_non_null(net_conn_open(&conns, "h", 1, &conn_events, NULL));
    assert_null(net_conn_open(&conns, "h", 1, &conn_events, NULL));
}

/* -- configuration -- */

static const char *get(void *ctx, const char *key, char *buf, size_t size)
{
    const char **pairs = ctx;
    for (; *pairs; pairs += 2)
        if (!strcmp(pairs[0], key)) {
            strncpy(buf, pairs[1], size - 1);
            buf[size - 1] = 0;
            return buf;
        }
    return NULL;
}

static const struct vdisk_tls some_tls;

static const struct vdisk_tls *find_keys(uint64_t set, const char **why)
{
    *why = "no such keys";
    return set == 7 ? &some_tls : NULL;
}

static void test_config(void **state)
{
    (void)state;
    char why[96];
    struct vdisk_config config;
    const char *good[] = {"host",    "10.0.2.2",  "export",   "root1",      "mode",
                          "ram",     "read_only", "1",        "overlay",    "1048576",
                          "give_up", "60",        "fallback", "b:10810, c", "content",
                          "v1",      "tls",       "7",        NULL};
    struct disk_args args = {get, good, find_keys};
    assert_null(disk_config(&args, "web1/root", &config, why, sizeof why));
    assert_int_equal(config.port, 10809);
    assert_ptr_equal(config.tls, &some_tls);
    assert_int_equal(config.mode, VDISK_RAM);
    assert_true(config.is_read_only);
    assert_int_equal(config.overlay_bytes, 1048576);
    assert_int_equal(config.give_up_ns, 60000000000ull);
    assert_int_equal(config.more_count, 2);
    assert_true(config.has_content);
    assert_memory_equal(config.content, "\1v1\0", 4);
    assert_string_equal(config.more[0].host, "b");
    assert_int_equal(config.more[0].port, 10810);
    assert_string_equal(config.more[1].host, "c");
    assert_int_equal(config.more[1].port, 10809);
    const char *sealed[] = {
        "host",        "h",
        "root_hash",   "0ae4de15cdffcbc4c509d232ed5676468873b0194090becc587669deb5cb5939:7",
        "mode",        "ram",
        "hash_export", "hashes",
        NULL};
    args.ctx = sealed;
    assert_null(disk_config(&args, "d", &config, why, sizeof why));
    assert_true(config.has_root);
    assert_int_equal(config.root.hash[31], 0x39);
    assert_int_equal(config.root.blocks, 7);
    assert_string_equal(config.hash_export, "hashes");
    const char *bad[][5] = {{"export", "x", NULL},
                            {"host", "h", "port", "70000", NULL},
                            {"host", "h", "port", "1x", NULL},
                            {"host", "h", "mode", "server", NULL},
                            {"host", "h", "read_only", "maybe", NULL},
                            {"host", "h", "overlay", "99999999999999999999", NULL},
                            {"host", "h", "give_up", "soon", NULL},
                            {"host", "h", "root_hash", "12:1", NULL},
                            {"host", "h", "content", "a text of 32 characters, too long", NULL},
                            {"host", "h", "fallback", "a,b,c,d", NULL},
                            {"host", "h", "fallback", ":1", NULL},
                            {"host", "h", "fallback", "a:70000", NULL},
                            {"host", "h", "fallback", "a:", NULL},
                            {"host", "h", "tls", "8", NULL},
                            {"host", "h", "tls", "x", NULL}};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        args.ctx = bad[i];
        assert_non_null(disk_config(&args, "d", &config, why, sizeof why));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, begin, end),
        cmocka_unit_test_setup_teardown(test_slot_waits_for_net, begin, end),
        cmocka_unit_test_setup_teardown(test_hostile_net, begin, end),
        cmocka_unit_test_setup_teardown(test_no_more_slots, begin, end),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
