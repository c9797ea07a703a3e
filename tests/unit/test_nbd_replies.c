// SPDX-License-Identifier: BSD-2-Clause
/* Shows that the NBD client understands the replies of real servers, and that each kind of lie is caught and
   named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/nbd_script.h"

static void test_structured_read(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 100000; piece *= 7) {
        read_structured();
        peer.piece = piece;
        say_data(0, READ_OFFSET + 8192, 8192, 2); /* out of order */
        say_hole(0, READ_OFFSET + 1000, 7192);
        say_data(0, READ_OFFSET, 1000, 1);
        say_chunk(1, NBD_REPLY_NONE, 0);
        run();
        assert_int_equal(session.state, NBD_READY);
        assert_int_equal(done_count, 1);
        assert_int_equal(done_error, 0);
        assert_int_equal(pages[0][999], 1);
        assert_int_equal(pages[0][1000], 0);
        assert_int_equal(pages[1][4095], 0);
        assert_int_equal(pages[2][0], 2);
        assert_int_equal(pages[3][4095], 2);
    }
}

static void test_structured_error(void **state)
{
    (void)state;
    read_structured();
    say_data(0, READ_OFFSET, 4096, 1);
    say_chunk(0, NBD_REPLY_ERROR_OFFSET, 6 + 3 + 8);
    say32(NBD_EIO);
    say16(3);
    say("bad", 3);
    say64(READ_OFFSET + 4096);
    say_chunk(1, NBD_REPLY_NONE, 0);
    run();
    assert_int_equal(session.state, NBD_READY);
    assert_int_equal(done_count, 1);
    assert_int_equal(done_error, NBD_EIO);
}

static void test_simple_replies(void **state)
{
    (void)state;
    static uint8_t data[READ_BYTES];
    negotiate(false);
    send_command(NBD_CMD_READ, READ_BYTES);
    say_simple(0, command.cookie);
    memset(data, 0x5a, sizeof data);
    say(data, sizeof data);
    run();
    assert_int_equal(done_count, 1);
    assert_int_equal(pages[3][4095], 0x5a);
    send_command(NBD_CMD_WRITE, 4096);
    say_simple(NBD_ENOSPC, command.cookie);
    run();
    assert_int_equal(done_count, 2);
    assert_int_equal(done_error, NBD_ENOSPC);
    assert_int_equal(session.state, NBD_READY);
}

static void test_lies_in_data(void **state)
{
    (void)state;
    read_structured();
    say_data(1, READ_OFFSET, 8192, 1);
    expect_lost("left out");
    read_structured();
    say_data(0, READ_OFFSET, 8192, 1);
    say_data(1, READ_OFFSET + 8191, 8193, 1);
    expect_lost("twice");
    read_structured();
    say_data(1, READ_OFFSET - 1, READ_BYTES, 1);
    expect_lost("not asked");
    read_structured();
    say_data(1, READ_OFFSET + 1, READ_BYTES, 1);
    expect_lost("not asked");
    read_structured();
    say_hole(1, READ_OFFSET, UINT32_MAX);
    expect_lost("not asked");
    read_structured();
    say_hole(1, UINT64_MAX - 5, 12);
    expect_lost("not asked");
    read_structured();
    say_hole(1, READ_OFFSET, 0);
    expect_lost("not asked");
    read_structured();
    for (uint32_t i = 0; i < 100; i++)
        say_data(0, READ_OFFSET + i * 100, 50, 1);
    expect_lost("twice");
}

static void test_lies_in_headers(void **state)
{
    (void)state;
    read_structured();
    say32(0xdeadbeef);
    expect_lost("magic");
    read_structured();
    say_simple(0, command.cookie);
    expect_lost("simple reply");
    read_structured();
    say_simple(0, command.cookie + NBD_SESSION_SLOTS);
    expect_lost("was not made");
    read_structured();
    command.cookie++;
    say_chunk(1, NBD_REPLY_NONE, 0);
    command.cookie--;
    expect_lost("was not made");
    read_structured();
    say_chunk(2, NBD_REPLY_NONE, 0);
    expect_lost("unknown kind");
    read_structured();
    say_chunk(1, 6, 12);
    expect_lost("unknown kind");
    read_structured();
    say_chunk(0, NBD_REPLY_NONE, 0);
    expect_lost("malformed");
    read_structured();
    say_chunk(1, NBD_REPLY_OFFSET_DATA, 8);
    expect_lost("wrong length");
    read_structured();
    say_chunk(1, NBD_REPLY_ERROR, 1u << 30);
    expect_lost("wrong length");
    read_structured();
    say_chunk(1, NBD_REPLY_ERROR, 6);
    say32(0);
    say16(0);
    expect_lost("malformed");
    negotiate(false);
    send_command(NBD_CMD_READ, READ_BYTES);
    say_chunk(1, NBD_REPLY_NONE, 0);
    expect_lost("magic");
}

static void test_shutdown_is_no_answer(void **state)
{
    (void)state;
    negotiate(false);
    send_command(NBD_CMD_READ, READ_BYTES);
    say_simple(NBD_ESHUTDOWN, command.cookie);
    expect_lost("shutting down");
}

static void test_silence(void **state)
{
    (void)state;
    read_structured();
    peer.now += 29000000000ull;
    nbd_session_run(&session, peer.now);
    assert_int_equal(session.state, NBD_READY);
    say_data(0, READ_OFFSET, 4096, 1); /* a sign of life starts the time anew */
    nbd_session_run(&session, peer.now);
    peer.now += 29000000000ull;
    nbd_session_run(&session, peer.now);
    assert_int_equal(session.state, NBD_READY);
    peer.now += 2000000000ull;
    expect_lost("silent");
}

static void test_idle(void **state)
{
    (void)state;
    static const uint8_t data[512];
    negotiate(true);
    size_t before = peer.out_size;
    peer.now += patience.idle_ns - 1;
    nbd_session_run(&session, peer.now);
    assert_int_equal(peer.out_size, before);
    peer.now++;
    nbd_session_run(&session, peer.now);
    assert_int_equal(peer.out_size, before + NBD_REQUEST_BYTES);
    assert_int_equal(be16_get(peer.out + before + 6), NBD_CMD_READ);
    assert_int_equal(be32_get(peer.out + before + 24), sizeof data);
    say_chunk_to(be64_get(peer.out + before + 8), 1, NBD_REPLY_OFFSET_DATA, 8 + sizeof data);
    say64(0);
    say(data, sizeof data);
    run();
    assert_int_equal(session.state, NBD_READY);
    assert_int_equal(session.in_flight, 0);
    peer.now += patience.idle_ns; /* the next one is not answered */
    nbd_session_run(&session, peer.now);
    peer.now += patience.silence_ns;
    run();
    assert_int_equal(session.state, NBD_LOST);
    assert_non_null(strstr(session.why, "silent"));
    assert_null(nbd_session_take_back(&session)); /* it was nobody's */
    assert_int_equal(session.in_flight, 0);
}

static void test_closed_connection(void **state)
{
    (void)state;
    read_structured();
    say_data(1, READ_OFFSET, READ_BYTES, 3); /* arrived before the end: it counts */
    peer.events->closed(peer.owner, "connection reset");
    run();
    assert_int_equal(done_count, 1);
    assert_int_equal(session.state, NBD_LOST);
    assert_string_equal(session.why, "connection reset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structured_read),   cmocka_unit_test(test_structured_error),
        cmocka_unit_test(test_simple_replies),    cmocka_unit_test(test_lies_in_data),
        cmocka_unit_test(test_lies_in_headers),   cmocka_unit_test(test_shutdown_is_no_answer),
        cmocka_unit_test(test_silence),           cmocka_unit_test(test_idle),
        cmocka_unit_test(test_closed_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
