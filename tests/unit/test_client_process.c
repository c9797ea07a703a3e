// SPDX-License-Identifier: BSD-2-Clause
/* The process that speaks with leatd, without its system calls: its keys, and its connections over the net channel, which
 * must tell a server that does not take the key from one that went away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <leat/keys.h>

#include "services/client/conn.h"
#include "tests/unit/net_channel.h"
#include "tests/unit/tls_server.h"

#define OWN "0123456789abcdef0123456789abcdef"
#define ENROL "enrol:00112233445566778899aabbccddeeff"

static struct keys keys;
static _Alignas(8) uint8_t block[4096];
static struct leat_net_command asked;

time_t tls_wall_clock(time_t *now)
{
    (void)now;
    return 1800000000;
}

/* -- keys -- */

static size_t put(size_t at, uint32_t kind, const char *text, uint64_t size)
{
    struct leat_key key = {0, kind, size};
    memcpy(block + at, &key, sizeof key);
    memcpy(block + at + sizeof key, text, strlen(text) + 1);
    return at + (size_t)leat_key_stride(strlen(text) + 1);
}

static const char *begin_keys(void)
{
    memset(&keys, 0, sizeof keys);
    const char *why = keys_begin(&keys, block, sizeof block, ENROL, tls_server_source());
    for (unsigned i = 0; i < sizeof block; i++)
        assert_int_equal(block[i], 0);
    return why;
}

static void the_first_pre_shared_key_is_taken(void **state)
{
    (void)state;
    size_t at = put(0, LEAT_KEY_CA, "none", 5);
    put(at, LEAT_KEY_PSK, "leat:" OWN "\r\nmore", strlen("leat:" OWN "\r\nmore") + 1);
    assert_null(begin_keys());
    assert_string_equal(keys.psk, "leat:" OWN);
    assert_true(keys.own.keys && keys.enrol.keys);
    tls_keys_free(keys.own.keys);
    tls_keys_free(keys.enrol.keys);
}

static void a_block_without_one_is_told(void **state)
{
    (void)state;
    assert_non_null(strstr(begin_keys(), "was given no key"));
    put(0, LEAT_KEY_PSK, "leat:" OWN, sizeof block); /* beyond the block */
    assert_non_null(strstr(begin_keys(), "was given no key"));
    put(0, LEAT_KEY_PSK, "leat:" OWN, UINT64_MAX - 3);
    assert_non_null(strstr(begin_keys(), "was given no key"));
    put(0, LEAT_KEY_PSK, "leat:" OWN, 4); /* without its NUL */
    assert_non_null(strstr(begin_keys(), "was given no key"));
    put(0, LEAT_KEY_PSK, "leat:12", 8);
    assert_non_null(strstr(begin_keys(), "16 to 64 bytes"));
    assert_non_null(keys_begin(&keys, NULL, 0, ENROL, tls_server_source()));
}

/* -- connections -- */

static bool sends_alert, has_spoken, has_proof; /* what the server does, and how far it is */

static long server_send(void *ctx, const void *data, size_t size)
{
    (void)ctx;
    has_spoken = true;
    return has_proof && !sends_alert ? (long)size
                                     : (long)leat_ring_write(&net_rx, data, (uint32_t)size);
}

static long server_receive(void *ctx, void *data, size_t size)
{
    (void)ctx;
    long n = (long)leat_ring_read(&net_tx, data, (uint32_t)size);
    has_proof |= has_spoken && n > 0;
    return n;
}

static struct tls_server *serve(const char *key)
{
    const struct tls_wire wire = {server_send, server_receive, NULL};
    unsigned char bytes[16];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] =
            (unsigned char)((key[2 * i] % 32 + 9) % 25 << 4 | (key[2 * i + 1] % 32 + 9) % 25);
    return tls_server_open(&(struct tls_server_keys){.psk = bytes, .psk_size = sizeof bytes},
                           &wire);
}

static int begin(void **state)
{
    (void)state;
    begin_channel();
    sends_alert = true;
    has_spoken = has_proof = false;
    put(0, LEAT_KEY_PSK, "leat:" OWN, strlen("leat:" OWN) + 1);
    assert_null(begin_keys());
    conns_begin(&conns, &keys);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    tls_keys_free(keys.own.keys);
    tls_keys_free(keys.enrol.keys);
    end_channel();
    return 0;
}

static void *open_one(void)
{
    const char *why;
    void *conn = conn_open(NULL, "leatd.example", 9471, CLIENT_OWN);
    assert_non_null(conn);
    asked = next_command();
    assert_int_equal(asked.op, LEAT_NET_CONNECT);
    assert_string_equal(shared->slots[asked.slot].host, "leatd.example");
    assert_int_equal(conn_state(NULL, conn, &why), CLIENT_CONN_CONNECTING);
    assert_int_equal(conn_send(NULL, conn, "x", 1), 0);
    return conn;
}

static void connect_it(void)
{
    tell(LEAT_NET_CONNECTED, asked, LEAT_OK);
    join_slot(asked);
}

/* The handshake's result: 1, or the server's error. */
static int shake_hands(struct tls_server *server)
{
    int result = 0;
    for (unsigned i = 0; i < 1000 && !result; i++) {
        secure_conns_run();
        result = tls_server_handshake(server);
    }
    while (secure_conns_run())
        continue;
    return result;
}

static void bytes_are_taken_once_the_key_is_proven(void **state)
{
    struct tls_server *server = serve(OWN);
    const char *why;
    char text[8] = "";
    (void)state;
    void *conn = open_one();
    connect_it();
    assert_int_equal(conn_state(NULL, conn, &why), CLIENT_CONN_OPEN);
    assert_int_equal(conn_send(NULL, conn, "x", 1), 0);
    assert_int_equal(shake_hands(server), 1);
    assert_int_equal(conn_send(NULL, conn, "hello", 5), 5);
    assert_int_equal(tls_server_receive(server, text, sizeof text), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(tls_server_send(server, "you", 3), 3);
    tell(LEAT_NET_CLOSED, asked, LEAT_EIO);
    assert_int_equal(conn_state(NULL, conn, &why), CLIENT_CONN_ENDED);
    assert_non_null(strstr(why, "reset"));
    assert_int_equal(conn_receive(NULL, conn, text, sizeof text), 3); /* what had arrived before */
    conn_close(NULL, conn);
    tls_server_close(server);
}

static void a_key_that_is_not_taken_is_told_apart(void **state)
{
    struct tls_server *server = serve("ffffffffffffffffffffffffffffffff");
    const char *why;
    (void)state;
    void *conn = open_one();
    connect_it();
    assert_true(shake_hands(server) < 0);
    tell(LEAT_NET_CLOSED, asked, LEAT_OK);
    assert_int_equal(conn_state(NULL, conn, &why), CLIENT_CONN_REFUSED);
    assert_non_null(strstr(why, "is the pre-shared key the right one?"));
    conn_close(NULL, conn);
    tls_server_close(server);
}

static void without_an_alert_too(void **state)
{
    sends_alert = false; /* as leatd */
    a_key_that_is_not_taken_is_told_apart(state);
}

/* As one that is full does, or that is killed: before its first word, or before it was asked to prove anything. */
static void a_server_that_hangs_up_refuses_no_key(void **state)
{
    (void)state;
    for (unsigned with_hello = 0; with_hello < 2; with_hello++) {
        struct tls_server *server = serve(OWN);
        const char *why;
        void *conn = open_one();
        connect_it();
        if (with_hello)
            assert_int_equal(tls_server_handshake(server), 0);
        tell(LEAT_NET_CLOSED, asked, LEAT_OK);
        assert_int_equal(conn_state(NULL, conn, &why), CLIENT_CONN_ENDED);
        assert_null(strstr(why, "key"));
        conn_close(NULL, conn);
        tls_server_close(server);
    }
}

static void a_server_that_is_not_there_refuses_no_key(void **state)
{
    const char *why;
    (void)state;
    void *conn = open_one();
    tell(LEAT_NET_CLOSED, asked, LEAT_ETIMEDOUT);
    assert_int_equal(conn_state(NULL, conn, &why), CLIENT_CONN_ENDED);
    assert_string_equal(why, "no answer");
    conn_close(NULL, conn);
}

static void there_are_as_many_as_slots(void **state)
{
    void *all[LEAT_NET_SLOTS];
    (void)state;
    for (unsigned i = 0; i < LEAT_NET_SLOTS; i++)
        all[i] = open_one();
    assert_null(conn_open(NULL, "leatd.example", 9471, CLIENT_ENROL));
    for (unsigned i = 0; i < LEAT_NET_SLOTS; i++)
        conn_close(NULL, all[i]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_pre_shared_key_is_taken),
        cmocka_unit_test(a_block_without_one_is_told),
        T(bytes_are_taken_once_the_key_is_proven),
        T(a_key_that_is_not_taken_is_told_apart),
        T(without_an_alert_too),
        T(a_server_that_hangs_up_refuses_no_key),
        T(a_server_that_is_not_there_refuses_no_key),
        T(there_are_as_many_as_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
