// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that the NBD client understands what real servers say, and that each kind of lie is caught
 * and named: scripted replies, byte by byte or all at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vdisk/nbd/proto.h"
#include "vdisk/nbd/session.h"

#define READ_OFFSET 65536u
#define READ_BYTES 16384u

static struct {
    uint8_t in[1 << 17], out[1 << 17];
    size_t in_size, in_taken, out_size, piece;
    const struct vdisk_conn_events *events;
    void *owner;
    uint64_t now;
    int closes;
} world;

static uint64_t fake_now(void *ctx)
{
    (void)ctx;
    return world.now;
}
static void *fake_connect(void *ctx, const char *host, uint16_t port,
                          const struct vdisk_conn_events *events, void *owner)
{
    (void)ctx, (void)host, (void)port;
    world.events = events;
    world.owner = owner;
    return &world;
}
static void fake_close(void *ctx, void *conn)
{
    (void)ctx, (void)conn;
    world.closes++;
}
static size_t fake_send(void *ctx, void *conn, const void *data, size_t size)
{
    (void)ctx, (void)conn;
    memcpy(world.out + world.out_size, data, size);
    world.out_size += size;
    return size;
}
static size_t fake_receive(void *ctx, void *conn, void *data, size_t size)
{
    (void)ctx, (void)conn;
    size_t n = world.in_size - world.in_taken;
    n = n < size ? n : size;
    n = n < world.piece ? n : world.piece;
    memcpy(data, world.in + world.in_taken, n);
    world.in_taken += n;
    return n;
}
static uint64_t fake_random(void *ctx)
{
    (void)ctx;
    return 0;
}
static void fake_log(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

static const struct vdisk_platform platform = {NULL,      fake_now,     fake_connect, fake_close,
                                               fake_send, fake_receive, fake_random,  fake_log};

static struct nbd_session session;
static struct nbd_command command;
static uint8_t pages[4][NBD_PAGE_BYTES];
static uint8_t *page_table[4] = {pages[0], pages[1], pages[2], pages[3]};
static uint32_t done_error;
static int done_count;

static void command_done(struct nbd_command *c, uint32_t error)
{
    (void)c;
    done_error = error;
    done_count++;
}

/* -- what the server says -- */

static void say(const void *data, size_t size)
{
    memcpy(world.in + world.in_size, data, size);
    world.in_size += size;
}
static void say32(uint32_t v)
{
    uint8_t p[4];
    be32_put(p, v);
    say(p, 4);
}
static void say64(uint64_t v)
{
    uint8_t p[8];
    be64_put(p, v);
    say(p, 8);
}
static void say16(uint16_t v)
{
    uint8_t p[2];
    be16_put(p, v);
    say(p, 2);
}
static void say_option(uint32_t option, uint32_t type, uint32_t size)
{
    say64(NBD_REPLY_MAGIC);
    say32(option);
    say32(type);
    say32(size);
}
static void say_greeting(uint16_t flags)
{
    say64(NBD_MAGIC);
    say64(NBD_OPTION_MAGIC);
    say16(flags);
}
static void say_meta(void)
{
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, 4 + 15);
    say32(42);
    say("base:allocation", 15);
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_ACK, 0);
}
/* The greeting and all that goes before NBD_OPT_GO. */
static void say_until_go(void)
{
    say_greeting(3);
    say_option(NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, 0);
    say_meta();
}
static void say_export(uint64_t size, uint16_t flags)
{
    say_option(NBD_OPT_GO, NBD_REP_INFO, 12);
    say16(NBD_INFO_EXPORT);
    say64(size);
    say16(flags);
}
static void say_block_size(uint32_t min, uint32_t max)
{
    say_option(NBD_OPT_GO, NBD_REP_INFO, 14);
    say16(NBD_INFO_BLOCK_SIZE);
    say32(min);
    say32(4096);
    say32(max);
}
static void say_chunk_to(uint64_t cookie, uint16_t flags, uint16_t type, uint32_t size)
{
    say32(NBD_STRUCTURED_REPLY_MAGIC);
    say16(flags);
    say16(type);
    say64(cookie);
    say32(size);
}
static void say_chunk(uint16_t flags, uint16_t type, uint32_t size)
{
    say_chunk_to(command.cookie, flags, type, size);
}
static void say_data(uint16_t flags, uint64_t offset, uint32_t size, uint8_t fill)
{
    static uint8_t bytes[READ_BYTES];
    memset(bytes, fill, sizeof bytes);
    say_chunk(flags, NBD_REPLY_OFFSET_DATA, 8 + size);
    say64(offset);
    say(bytes, size);
}
static void say_hole(uint16_t flags, uint64_t offset, uint32_t size)
{
    say_chunk(flags, NBD_REPLY_OFFSET_HOLE, 12);
    say64(offset);
    say32(size);
}
static void say_simple(uint32_t error, uint64_t cookie)
{
    say32(NBD_SIMPLE_REPLY_MAGIC);
    say32(error);
    say64(cookie);
}

static void run(void)
{
    for (int i = 0; i < 40000 && session.state != NBD_LOST; i++) {
        size_t before = world.in_taken;
        nbd_session_run(&session, world.now);
        if (world.in_taken == before && world.in_taken == world.in_size)
            break;
    }
}

static const struct nbd_patience patience = {
    .connect_ns = 10000000000ull, .silence_ns = 30000000000ull, .idle_ns = 15000000000ull};

static const char *fake_tls_answer;
static int tls_starts;

static const char *fake_tls_start(const struct vdisk_tls *tls, void *conn, const char *server_name)
{
    (void)tls;
    assert_ptr_equal(conn, &world);
    assert_string_equal(server_name, "h");
    tls_starts++;
    return fake_tls_answer;
}
static const struct vdisk_tls fake_tls = {fake_tls_start};

static void begin_with(const struct vdisk_tls *tls)
{
    memset(&world, 0, sizeof world);
    world.piece = SIZE_MAX;
    world.now = 1000;
    done_count = 0;
    nbd_session_init(&session, &platform, &patience);
    const struct nbd_target target = {"h", 1, "root1", tls};
    assert_true(nbd_session_start(&session, &target, world.now));
    world.events->connected(world.owner);
}

static void begin(void)
{
    begin_with(NULL);
}

static void negotiate(bool structured)
{
    begin();
    say_greeting(3);
    say_option(NBD_OPT_STRUCTURED_REPLY, structured ? NBD_REP_ACK : NBD_REP_ERR_UNSUP, 0);
    if (structured)
        say_meta();
    say_export(1 << 20, 0x6d);
    say_block_size(1, 1 << 20);
    say_option(NBD_OPT_GO, NBD_REP_ACK, 0);
    run();
    assert_int_equal(session.state, NBD_READY);
}

static void send_command(uint16_t type, uint32_t length)
{
    memset(&command, 0, sizeof command);
    memset(pages, 0xee, sizeof pages);
    command.type = type;
    command.offset = READ_OFFSET;
    command.length = length;
    command.pages = page_table;
    command.data = pages[0];
    command.done = command_done;
    nbd_session_send(&session, &command, world.now);
    nbd_session_run(&session, world.now);
}

static void read_structured(void)
{
    negotiate(true);
    send_command(NBD_CMD_READ, READ_BYTES);
}

static void expect_lost(const char *why)
{
    run();
    assert_int_equal(session.state, NBD_LOST);
    assert_non_null(strstr(session.why, why));
    assert_int_equal(world.closes, 1);
    assert_int_equal(done_count, 0);
    if (session.in_flight) {
        assert_ptr_equal(nbd_session_take_back(&session), &command);
        assert_null(nbd_session_take_back(&session));
    }
}

/* -- negotiation -- */

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
    assert_int_equal(world.out_size, sizeof expected - 1);
    assert_memory_equal(world.out, expected, sizeof expected - 1);
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
    world.in_size -= 20; /* not the end, but the context once more */
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
    assert_int_equal(world.out_size, sizeof expected - 1);
    assert_memory_equal(world.out, expected, sizeof expected - 1);
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
        assert_true(world.out_size <= 20); /* not a word more */
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

/* -- block status -- */

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
        world.piece = piece;
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

/* -- replies -- */

static void test_structured_read(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 100000; piece *= 7) {
        read_structured();
        world.piece = piece;
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
    world.now += 29000000000ull;
    nbd_session_run(&session, world.now);
    assert_int_equal(session.state, NBD_READY);
    say_data(0, READ_OFFSET, 4096, 1); /* a sign of life starts the time anew */
    nbd_session_run(&session, world.now);
    world.now += 29000000000ull;
    nbd_session_run(&session, world.now);
    assert_int_equal(session.state, NBD_READY);
    world.now += 2000000000ull;
    expect_lost("silent");
}

static void test_idle(void **state)
{
    (void)state;
    static const uint8_t data[512];
    negotiate(true);
    size_t before = world.out_size;
    world.now += patience.idle_ns - 1;
    nbd_session_run(&session, world.now);
    assert_int_equal(world.out_size, before);
    world.now++;
    nbd_session_run(&session, world.now);
    assert_int_equal(world.out_size, before + NBD_REQUEST_BYTES);
    assert_int_equal(be16_get(world.out + before + 6), NBD_CMD_READ);
    assert_int_equal(be32_get(world.out + before + 24), sizeof data);
    say_chunk_to(be64_get(world.out + before + 8), 1, NBD_REPLY_OFFSET_DATA, 8 + sizeof data);
    say64(0);
    say(data, sizeof data);
    run();
    assert_int_equal(session.state, NBD_READY);
    assert_int_equal(session.in_flight, 0);
    world.now += patience.idle_ns; /* the next one is not answered */
    nbd_session_run(&session, world.now);
    world.now += patience.silence_ns;
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
    world.events->closed(world.owner, "connection reset");
    run();
    assert_int_equal(done_count, 1);
    assert_int_equal(session.state, NBD_LOST);
    assert_string_equal(session.why, "connection reset");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_hostile_negotiation),
        cmocka_unit_test(test_structured_read),
        cmocka_unit_test(test_structured_error),
        cmocka_unit_test(test_simple_replies),
        cmocka_unit_test(test_lies_in_data),
        cmocka_unit_test(test_lies_in_headers),
        cmocka_unit_test(test_shutdown_is_no_answer),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_closed_connection),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_block_status),
        cmocka_unit_test(test_lies_in_block_status),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_no_way_round_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
