// SPDX-License-Identifier: BSD-2-Clause
/* TLS in the vdisk service: random numbers only from a generator that works; keys that are read, judged
 * and wiped; and connections over the net channel that carry nothing before the handshake and end with a
 * reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <leat/keys.h>

#include "tests/unit/net_channel.h"
#include "tests/unit/tls_server.h"
#include "vdisk/service/keys.h"
#include "vdisk/net/secure_conn.h"

#define HEX32 "0123456789abcdef0123456789abcdef"
#define BUILT_S 1795305600 /* 2026-11-22, as if Leat had been built then */

time_t tls_wall_clock(time_t *now)
{
    (void)now;
    return 1800000000;
}

/* -- random numbers -- */

static unsigned draws;

static bool no_word(uint64_t *word)
{
    *word = 0;
    return ++draws, false;
}
static bool all_ones(uint64_t *word)
{
    *word = UINT64_MAX;
    return true;
}
static bool same_word(uint64_t *word)
{
    *word = 12345;
    return true;
}
static bool stops_working(uint64_t *word)
{
    *word = ++draws * 0x1234567ull;
    return draws < 500;
}
static bool works(uint64_t *word)
{
    return tls_server_source()->rdrand(word);
}
static uint64_t no_ticks(void)
{
    return 0;
}

static void test_random(void **state)
{
    (void)state;
    const struct tls_random_source bad[] = {
        {NULL, NULL, no_ticks},          {no_word, NULL, no_ticks},
        {NULL, no_word, no_ticks},       {NULL, all_ones, no_ticks},
        {same_word, all_ones, no_ticks}, {NULL, stops_working, no_ticks},
    };
    unsigned char a[5000] = {0}, b[5000];
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        draws = 0;
        const char *why = tls_random_begin(&bad[i]);
        assert_non_null(why);
        assert_non_null(strstr(why, i ? "does not work" : "has no random number generator"));
        assert_int_not_equal(tls_random_take(NULL, a, 16), 0);
    }
    const struct tls_random_source good[] = {
        {works, NULL, no_ticks}, {NULL, works, no_ticks}, {no_word, works, no_ticks}};
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_null(tls_random_begin(&good[i]));
        assert_int_equal(tls_random_take(NULL, b, sizeof b), 0);
        assert_memory_not_equal(a, b, sizeof a);
        assert_memory_not_equal(b, b + 2500, 2500);
        memcpy(a, b, sizeof a);
    }
}

/* -- keys -- */

static _Alignas(8) uint8_t block[65536];
static uint64_t used;

static void put(uint32_t set, uint32_t kind, const char *text)
{
    struct leat_key key = {set, kind, strlen(text) + 1};
    memcpy(block + used, &key, sizeof key);
    memcpy(block + used + sizeof key, text, key.size);
    used += leat_key_stride(key.size);
}

static void take(const struct tls_random_source *source, int64_t now_s)
{
    keys_take(block, sizeof block, &(struct keys_world){source, now_s, BUILT_S});
    for (unsigned i = 0; i < sizeof block; i++)
        assert_int_equal(block[i], 0);
    used = 0;
}

static const struct vdisk_tls *find(uint64_t set, const char *part)
{
    const char *why;
    const struct vdisk_tls *tls = keys_find(set, &why);
    if (part)
        assert_null(tls);
    else
        assert_non_null(tls);
    if (part)
        assert_non_null(strstr(why, part));
    return tls;
}

/* Sets of other numbers in each test: there is one table in a process. */
static void test_keys(void **state)
{
    (void)state;
    static const struct tls_random_source none = {.ticks = no_ticks};
    put(0, LEAT_KEY_PSK, "leat:" HEX32 "\n");
    put(1, LEAT_KEY_PSK, "leat:12");
    put(2, LEAT_KEY_MISSING, "keys/psk");
    put(3, LEAT_KEY_CA, "no certificate");
    put(4, LEAT_KEY_SERVER_NAME, "a.example");
    put(LEAT_KEY_SETS, LEAT_KEY_PSK, "leat:" HEX32);
    take(tls_server_source(), BUILT_S);
    find(0, NULL);
    find(1, "16 to 64 bytes");
    find(2, "its key file keys/psk could not be loaded");
    find(3, "authorities cannot be read");
    find(4, "neither a pre-shared key nor a certificate authority");
    find(5, "could not be loaded");
    find(LEAT_KEY_SETS, "could not be loaded");
    find(UINT64_MAX, "could not be loaded");
    put(10, LEAT_KEY_PSK, "leat:" HEX32);
    put(11, LEAT_KEY_CA, "x");
    put(12, LEAT_KEY_PSK, "leat:" HEX32);
    take(tls_server_source(), 1041379200); /* certificates need the date, keys do not */
    find(10, NULL);
    find(11, "clock says 2003-01-01, and Leat was built on 2026-11-22");
    put(13, LEAT_KEY_CA, "x");
    take(tls_server_source(), 0);
    find(13, "clock says nothing");
    put(14, LEAT_KEY_PSK, "leat:" HEX32);
    take(&none, BUILT_S);
    find(14, "no random number generator");
}

static void test_hostile_block(void **state)
{
    (void)state;
    struct leat_key lies[] = {{20, LEAT_KEY_PSK, 0},
                              {20, LEAT_KEY_PSK, UINT64_MAX},
                              {20, LEAT_KEY_PSK, UINT64_MAX - 30},
                              {20, LEAT_KEY_PSK, sizeof block - 24},
                              {20, LEAT_KEY_PSK, sizeof block - 16}};
    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        memset(block, 'x', sizeof block); /* no text ends */
        memcpy(block, &lies[i], sizeof lies[i]);
        take(tls_server_source(), BUILT_S);
        find(20, "could not be loaded");
    }
}

/* -- connections -- */

static struct leat_net_command opened;
static struct tls_server *server;

static long server_send(void *ctx, const void *data, size_t size)
{
    (void)ctx;
    return leat_ring_write(&net_rx, data, (uint32_t)size);
}
static long server_receive(void *ctx, void *data, size_t size)
{
    (void)ctx;
    return leat_ring_read(&net_tx, data, (uint32_t)size);
}
static const struct tls_wire server_wire = {server_send, server_receive, NULL};

static void net_says(uint32_t kind, int32_t status)
{
    tell(kind, opened, status);
    secure_conns_run();
}

static void *open_conn(void)
{
    begin_channel();
    void *c = secure_conn_open(&conns, "h", 1, &conn_events, NULL);
    opened = next_command();
    join_slot(opened);
    net_says(LEAT_NET_CONNECTED, LEAT_OK);
    assert_int_equal(connects, 1);
    return c;
}

static void close_conn(void *c)
{
    secure_conn_close(c);
    if (server)
        tls_server_close(server);
    server = NULL;
    end_channel();
}

static const struct vdisk_tls *keys_of(uint32_t set, const char *psk)
{
    const char *why;
    used = 0;
    put(set, LEAT_KEY_PSK, psk);
    keys_take(block, sizeof block, &(struct keys_world){tls_server_source(), 1, 0});
    return keys_find(set, &why);
}

static void *start_with(uint32_t set, const char *psk)
{
    static const unsigned char right[16] = {1, 2, 3};
    const struct tls_server_keys keys = {.psk = right, .psk_size = sizeof right};
    void *c = open_conn();
    const struct vdisk_tls *tls = keys_of(set, psk);
    server = tls_server_open(&keys, &server_wire);
    assert_null(tls->start(tls, c, "h"));
    return c;
}

static unsigned handshake_steps; /* that could go on at once */

static int shake_hands(void)
{
    handshake_steps = 0;
    int result = 0;
    for (unsigned i = 0; i < 20 && result == 0; i++) {
        result = tls_server_handshake(server);
        net_conns_run(&conns);
        while (secure_conns_run())
            handshake_steps++;
    }
    return result;
}

static void test_secure_connection(void **state)
{
    (void)state;
    enum { BYTES = 2000000 };
    uint8_t *sent = malloc(BYTES), *got = malloc(BYTES), *back = malloc(BYTES);
    size_t to_server = 0, at_server = 0, to_client = 0, at_client = 0;
    for (size_t i = 0; i < BYTES; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 13);
    void *c = start_with(30, "leat:01020300000000000000000000000000");
    assert_int_equal(secure_conn_send(c, "early", 5), 0);
    assert_int_equal(shake_hands(), 1);
    assert_in_range(handshake_steps, 8, 30); /* other work goes on in between */
    assert_string_equal(tls_server_suite(server), "TLS-ECDHE-PSK-WITH-CHACHA20-POLY1305-SHA256");
    for (unsigned i = 0; i < 10000 && at_client < BYTES; i++) { /* both rings are smaller */
        to_server += secure_conn_send(c, sent + to_server, BYTES - to_server);
        long n = tls_server_receive(server, got + at_server, BYTES - at_server);
        assert_true(n >= 0);
        at_server += (size_t)n;
        n = to_client < at_server ? tls_server_send(server, got + to_client, at_server - to_client)
                                  : 0;
        assert_true(n >= 0);
        to_client += (size_t)n;
        secure_conns_run();
        at_client += secure_conn_receive(c, back + at_client, BYTES - at_client);
    }
    assert_int_equal(at_client, BYTES);
    assert_memory_equal(sent, back, BYTES);
    assert_int_equal(closes, 0);
    /* What had arrived before the end is still received. */
    assert_int_equal(tls_server_send(server, "last words", 10), 10);
    net_says(LEAT_NET_CLOSED, LEAT_OK);
    assert_int_equal(closes, 1);
    assert_int_equal(secure_conn_receive(c, back, BYTES), 10);
    assert_memory_equal(back, "last words", 10);
    close_conn(c);
    free(sent);
    free(got);
    free(back);
}

static void test_another_key(void **state)
{
    (void)state;
    void *c = start_with(31, "leat:ff020300000000000000000000000000");
    assert_true(shake_hands() < 0);
    assert_int_equal(closes, 1);
    assert_string_equal(last_why, "TLS: the server refuses: is the pre-shared key the right one?");
    net_says(LEAT_NET_CLOSED, LEAT_EIO);
    assert_int_equal(closes, 1); /* told once */
    close_conn(c);
}

static void test_plain_server(void **state)
{
    (void)state;
    static const char *const answers[] = {"IHAVEOPT plain text of some length, no TLS",
                                          "\x16\x03\x03\xff\xff\x02", ""};
    for (unsigned i = 0; i < 3; i++) {
        void *c = start_with(32 + i, "leat:01020300000000000000000000000000");
        leat_ring_write(&net_rx, answers[i], (uint32_t)strlen(answers[i]));
        net_conns_run(&conns);
        while (secure_conns_run())
            ;
        if (!answers[i][0])
            net_says(LEAT_NET_CLOSED, LEAT_EIO);
        assert_int_equal(closes, 1);
        assert_non_null(strstr(last_why, "TLS: "));
        assert_int_equal(secure_conn_send(c, "x", 1), 0);
        assert_int_equal(secure_conn_receive(c, last_why, 1), 0);
        close_conn(c);
    }
}

/* One damaged bit in what the server sends ends the connection, and nothing of it is given out. */
static void test_damage(void **state)
{
    (void)state;
    uint8_t buffer[2000] = {0};
    void *c = start_with(36, "leat:01020300000000000000000000000000");
    assert_int_equal(shake_hands(), 1);
    assert_int_equal(tls_server_send(server, buffer, 1000), 1000);
    struct leat_ring *ring = (void *)shared->slots[opened.slot].rx;
    uint8_t *bytes = shared->slots[opened.slot].rx + sizeof *ring;
    bytes[(ring->head - 500) % LEAT_NET_RX_BYTES] ^= 4;
    assert_int_equal(secure_conn_receive(c, buffer, sizeof buffer), 0);
    secure_conns_run();
    assert_int_equal(closes, 1);
    assert_non_null(strstr(last_why, "damaged"));
    close_conn(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hostile_block), cmocka_unit_test(test_secure_connection),
        cmocka_unit_test(test_another_key),   cmocka_unit_test(test_plain_server),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
