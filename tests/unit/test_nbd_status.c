// SPDX-License-Identifier: BSD-2-Clause
/* Shows that the NBD client takes block status, and that each kind of lie in it is caught and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/nbd_script.h"

static struct {
    uint64_t offset;
    uint32_t length, flags;
} extents[8];
static unsigned extent_count;

static void take_extent(struct nbd_command *c, uint64_t offset, uint32_t length, uint32_t flags)
{
    (void)c;
    assert_true(extent_count < 8);
    extents[extent_count].offset = offset;
    extents[extent_count].length = length;
    extents[extent_count++].flags = flags;
}

static void ask_status(void)
{
    negotiate(true);
    extent_count = 0;
    send_command(NBD_CMD_BLOCK_STATUS, READ_BYTES);
    command.extent = take_extent;
}

static void take_depth(struct nbd_command *c, uint64_t offset, uint32_t length, uint32_t depth)
{
    take_extent(c, offset, length, 100 + depth);
}

static void ask_both(void)
{
    wants_depth = true;
    ask_status();
    wants_depth = false;
    command.depth = take_depth;
}

static void say_status(uint16_t flags, uint32_t context, unsigned count)
{
    say_chunk(flags, NBD_REPLY_BLOCK_STATUS, 4 + count * 8);
    say32(context);
}

static void say_extent(uint32_t length, uint32_t flags)
{
    say32(length);
    say32(flags);
}

static void test_block_status(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 1000; piece *= 5) {
        ask_status();
        peer.piece = piece;
        say_status(1, 42, 3);
        say_extent(4096, 0);
        say_extent(8192, NBD_STATE_ZERO | NBD_STATE_HOLE);
        say_extent(UINT32_MAX, NBD_STATE_ZERO); /* the last may go on beyond the range */
        run();
        assert_int_equal(done_count, 1);
        assert_int_equal(done_error, 0);
        assert_int_equal(extent_count, 3);
        assert_int_equal(extents[1].offset, READ_OFFSET + 4096);
        assert_int_equal(extents[1].length, 8192);
        assert_int_equal(extents[1].flags, 3);
        assert_int_equal(extents[2].length, 4096);
        assert_int_equal(command.described, READ_BYTES);
    }
    ask_status();
    say_status(0, 42, 1);
    say_extent(512, 0);
    say_chunk(1, NBD_REPLY_NONE, 0);
    run();
    assert_int_equal(done_count, 1);
    assert_int_equal(command.described, 512);
}

static void test_lies_in_block_status(void **state)
{
    (void)state;
    ask_status();
    say_status(1, 41, 1);
    expect_lost("block status that was not asked for");
    read_structured();
    say_status(1, 42, 1);
    expect_lost("block status that was not asked for");
    ask_status();
    say_status(0, 42, 1);
    say_extent(512, 0);
    say_status(1, 42, 1);
    expect_lost("block status that was not asked for");
    ask_status();
    say_status(1, 42, 1);
    say_extent(0, 0);
    expect_lost("empty extent");
    ask_status();
    say_status(1, 42, 2);
    say_extent(READ_BYTES, 0);
    say_extent(1, 0);
    expect_lost("extents beyond");
    ask_status();
    say_status(1, 42, 0);
    expect_lost("wrong length");
    ask_status();
    say_chunk(1, NBD_REPLY_BLOCK_STATUS, 4 + 9);
    expect_lost("wrong length");
    ask_status();
    say_chunk(1, NBD_REPLY_BLOCK_STATUS, 4 + 8 * ((1 << 20) + 1));
    expect_lost("wrong length");
    ask_status();
    say_chunk(1, NBD_REPLY_NONE, 0);
    expect_lost("left out the extents");
    ask_status();
    say_simple(0, command.cookie);
    expect_lost("left out the extents");
    ask_status();
    say_data(1, READ_OFFSET, 4096, 1);
    expect_lost("range that was not asked for");
}

/* In any order; each context's extents stand for themselves. */
static void test_two_contexts(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 1000; piece *= 5) {
        ask_both();
        peer.piece = piece;
        say_status(0, 43, 2);
        say_extent(4096, 2);
        say_extent(READ_BYTES, 1);
        say_status(1, 42, 1);
        say_extent(512, 0);
        run();
        assert_int_equal(done_count, 1);
        assert_int_equal(done_error, 0);
        assert_int_equal(extent_count, 3);
        assert_int_equal(extents[0].flags, 102);
        assert_int_equal(extents[1].offset, READ_OFFSET + 4096);
        assert_int_equal(extents[1].length, READ_BYTES - 4096);
        assert_int_equal(extents[2].offset, READ_OFFSET);
        assert_int_equal(extents[2].flags, 0);
        assert_int_equal(command.depth_described, READ_BYTES);
        assert_int_equal(command.described, 512);
    }
    ask_both();
    command.depth = NULL; /* nobody is interested */
    say_status(0, 43, 1);
    say_extent(4096, 2);
    say_status(1, 42, 1);
    say_extent(512, 0);
    run();
    assert_int_equal(extent_count, 1);
}

static void test_lies_in_two_contexts(void **state)
{
    (void)state;
    ask_both();
    say_status(1, 43, 1);
    say_extent(512, 0);
    expect_lost("left out the extents");
    ask_both();
    say_status(1, 42, 1);
    say_extent(512, 0);
    expect_lost("left out the extents");
    ask_both();
    say_status(0, 43, 1);
    say_extent(512, 0);
    say_status(1, 43, 1);
    expect_lost("block status that was not asked for");
    ask_both();
    say_status(1, 43, 2);
    say_extent(READ_BYTES, 0);
    say_extent(1, 0);
    expect_lost("extents beyond");
    ask_status();
    say_status(1, 43, 1);
    expect_lost("block status that was not asked for");
}

/* The option's two queries, and what a server may make of them. */
static void test_asks_for_depth(void **state)
{
    (void)state;
    static const char queries[] =
        "root1\0\0\0\2\0\0\0\17base:allocation\0\0\0\25qemu:allocation-depth";
    wants_depth = true;
    negotiate(true);
    assert_true(session.handshake.result.has_depth && session.handshake.result.has_block_status);
    assert_int_equal(session.handshake.result.depth_id, 43);
    assert_non_null(memmem(peer.out, peer.out_size, queries, sizeof queries - 1));
    wants_depth = false;
    negotiate(true);
    assert_false(session.handshake.result.has_depth);
    assert_null(memmem(peer.out, peer.out_size, "qemu:", 5));
    begin(); /* one that was not asked for */
    wants_depth = true;
    say_until_go();
    wants_depth = false;
    expect_lost("metadata context that was not asked for");
    wants_depth = true;
    begin(); /* two under one number */
    wants_depth = false;
    say_greeting(3);
    say_option(NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, 0);
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, 4 + 21);
    say32(42);
    say("qemu:allocation-depth", 21);
    say_meta();
    expect_lost("metadata context that was not asked for");
}

/* What of a question is left, at a server that came back with larger units. */
static void goes_on_at_a_unit(void **state)
{
    struct nbd_command c = {.offset = 2703360, .length = 3588096};
    (void)state;
    assert_false(nbd_command_align(&c, 4096));
    assert_true(nbd_command_align(&c, 65536));
    assert_int_equal(c.offset, 2686976);
    assert_int_equal(c.length, 3604480);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_at_a_unit),         cmocka_unit_test(test_block_status),
        cmocka_unit_test(test_lies_in_block_status), cmocka_unit_test(test_two_contexts),
        cmocka_unit_test(test_lies_in_two_contexts), cmocka_unit_test(test_asks_for_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
