// SPDX-License-Identifier: BSD-2-Clause
/* Shows that the NBD client negotiates with what real servers say, with TLS and without, and that lies are caught
   and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/nbd_script.h"

static void test_negotiation(void **state)
{
    (void)state;
    negotiate(true);
    assert_true(session.handshake.result.size_bytes == 1 << 20);
    assert_int_equal(session.handshake.result.flags, 0x6d);
    assert_int_equal(session.handshake.result.max_block, 1 << 20);
    assert_true(session.handshake.result.has_structured_replies);
    assert_true(session.handshake.result.has_block_status);
    assert_int_equal(session.handshake.result.context_id, 42);
    assert_int_equal(session.handshake.result.preferred_block, 4096);
    /* client flags, NBD_OPT_STRUCTURED_REPLY, NBD_OPT_SET_META_CONTEXT with the name and one query,
     * NBD_OPT_GO with the name and one request for information */
    static const uint8_t expected[] = "\0\0\0\3"
                                      "IHAVEOPT\0\0\0\10\0\0\0\0"
                                      "IHAVEOPT\0\0\0\12\0\0\0\40\0\0\0\5root1\0\0\0\1"
                                      "\0\0\0\17base:allocation"
                                      "IHAVEOPT\0\0\0\7\0\0\0\15\0\0\0\5root1\0\1\0\3";
    assert_int_equal(peer.out_size, sizeof expected - 1);
    assert_memory_equal(peer.out, expected, sizeof expected - 1);
}

static void refused(uint32_t type, const char *words, const char *why)
{
    begin();
    say_until_go();
    say_option(NBD_OPT_GO, type, (uint32_t)strlen(words));
    say(words, strlen(words));
    expect_lost(why);
}

static void test_refusals(void **state)
{
    (void)state;
    refused(NBD_REP_ERR_UNKNOWN, "export unknown\n", "no such export (\"export unknown?\")");
    refused(NBD_REP_ERR_TLS_REQD, "", "demands TLS");
    refused(NBD_REP_ERR_POLICY, "", "policy");
    refused(NBD_REP_ERR_UNSUP, "", "NBD_OPT_GO");
    refused(NBD_REP_ERROR(77), "", "0x8000004d");
}

static void test_hostile_negotiation(void **state)
{
    (void)state;
    begin();
    say("SSH-2.0-OpenSSH_9.2p1", 21);
    expect_lost("not an NBD server");
    begin();
    say64(NBD_MAGIC);
    say64(NBD_OLDSTYLE_MAGIC);
    expect_lost("oldstyle");
    begin();
    say_greeting(0);
    expect_lost("fixed newstyle");
    begin();
    say_greeting(3);
    say_option(NBD_OPT_GO, NBD_REP_ACK, 0);
    expect_lost("was not asked");
    begin();
    say_greeting(3);
    say_option(NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, UINT32_MAX);
    expect_lost("too long");
    begin();
    say_until_go();
    say_option(NBD_OPT_GO, NBD_REP_ACK, 0);
    expect_lost("how large");
    begin();
    say_until_go();
    say_block_size(3, 1 << 20);
    expect_lost("minimum block size");
    begin();
    say_until_go();
    say_export(UINT64_MAX, 1);
    expect_lost("export size");
    begin();
    say_until_go();
    for (int i = 0; i < 100; i++) {
        say_option(NBD_OPT_GO, NBD_REP_INFO, 2);
        say16(99);
    }
    expect_lost("NBD_REP_INFO");
}

static void say_structured(void)
{
    begin();
    say_greeting(3);
    say_option(NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, 0);
}

static void test_contexts(void **state)
{
    (void)state;
    const uint32_t answers[] = {NBD_REP_ACK, NBD_REP_ERR_UNSUP, NBD_REP_ERR_POLICY};
    for (unsigned i = 0; i < 3; i++) { /* a server without the context is used without it */
        say_structured();
        say_option(NBD_OPT_SET_META_CONTEXT, answers[i], 0);
        say_export(1 << 20, 1);
        say_option(NBD_OPT_GO, NBD_REP_ACK, 0);
        run();
        assert_int_equal(session.state, NBD_READY);
        assert_false(session.handshake.result.has_block_status);
    }
    say_structured();
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, 4 + 15);
    say32(42);
    say("bass:allocation", 15);
    expect_lost("context that was not asked for");
    say_structured();
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, 3);
    say("abc", 3);
    expect_lost("context that was not asked for");
    say_structured();
    say_meta();
    peer.in_size -= 20; /* not the end, but the context once more */
    say_meta();
    expect_lost("context that was not asked for");
    say_structured();
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_INFO, 0);
    expect_lost("NBD_OPT_SET_META_CONTEXT makes no sense");
    say_structured();
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_ERR_UNKNOWN, 0);
    expect_lost("no such export");
}

/* -- TLS -- */

static void begin_tls(uint32_t answer, uint32_t size)
{
    fake_tls_answer = NULL;
    tls_starts = 0;
    begin_with(&fake_tls);
    say_greeting(3);
    say_option(NBD_OPT_STARTTLS, answer, size);
}

static void test_tls(void **state)
{
    (void)state;
    begin_tls(NBD_REP_ACK, 0);
    run();
    assert_int_equal(session.state, NBD_NEGOTIATING);
    assert_int_equal(tls_starts, 1);
    /* in plain text the server has heard the flags and NBD_OPT_STARTTLS only */
    static const uint8_t expected[] = "\0\0\0\3"
                                      "IHAVEOPT\0\0\0\5\0\0\0\0"
                                      "IHAVEOPT\0\0\0\10\0\0\0\0";
    assert_int_equal(peer.out_size, sizeof expected - 1);
    assert_memory_equal(peer.out, expected, sizeof expected - 1);
    say_option(NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, 0);
    say_meta();
    say_export(1 << 20, 1);
    say_option(NBD_OPT_GO, NBD_REP_ACK, 0);
    run();
    assert_int_equal(session.state, NBD_READY);
}

static void test_no_way_round_tls(void **state)
{
    (void)state;
    const uint32_t refusals[] = {NBD_REP_ERR_UNSUP, NBD_REP_ERR_POLICY, NBD_REP_ERR_PLATFORM};
    for (unsigned i = 0; i < 3; i++) {
        begin_tls(refusals[i], 0);
        expect_lost("does not offer TLS");
        assert_int_equal(tls_starts, 0);
        assert_true(peer.out_size <= 20); /* not a word more */
    }
    begin_tls(NBD_REP_INFO, 0);
    expect_lost("NBD_OPT_STARTTLS makes no sense");
    begin_tls(NBD_REP_ACK, 1);
    say("x", 1);
    expect_lost("NBD_OPT_STARTTLS makes no sense");
    begin_tls(NBD_REP_ACK, 0); /* what somebody put behind it must not count as said inside TLS */
    say_option(NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, 0);
    expect_lost("plain text after it agreed to TLS");
    assert_int_equal(tls_starts, 0);
    begin_tls(NBD_REP_ACK, 0);
    fake_tls_answer = "no entropy";
    expect_lost("no entropy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_hostile_negotiation),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_no_way_round_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
