// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/nbd_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t said[1 << 17], heard[1 << 17];

struct nbd_session session;
struct nbd_command command;
uint8_t pages[4][NBD_PAGE_BYTES];
static uint8_t *page_table[4] = {pages[0], pages[1], pages[2], pages[3]};
uint32_t done_error;
int done_count;

static void command_done(struct nbd_command *c, uint32_t error)
{
    (void)c;
    done_error = error;
    done_count++;
}

/* -- what the server says -- */

void say(const void *data, size_t size)
{
    memcpy(said + peer.in_size, data, size);
    peer.in_size += size;
}
void say32(uint32_t v)
{
    uint8_t p[4];
    be32_put(p, v);
    say(p, 4);
}
void say64(uint64_t v)
{
    uint8_t p[8];
    be64_put(p, v);
    say(p, 8);
}
void say16(uint16_t v)
{
    uint8_t p[2];
    be16_put(p, v);
    say(p, 2);
}
void say_option(uint32_t option, uint32_t type, uint32_t size)
{
    say64(NBD_REPLY_MAGIC);
    say32(option);
    say32(type);
    say32(size);
}
void say_greeting(uint16_t flags)
{
    say64(NBD_MAGIC);
    say64(NBD_OPTION_MAGIC);
    say16(flags);
}
void say_meta(void)
{
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, 4 + 15);
    say32(42);
    say("base:allocation", 15);
    if (wants_depth) {
        say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, 4 + 21);
        say32(43);
        say("qemu:allocation-depth", 21);
    }
    say_option(NBD_OPT_SET_META_CONTEXT, NBD_REP_ACK, 0);
}
/* The greeting and all that goes before NBD_OPT_GO. */
void say_until_go(void)
{
    say_greeting(3);
    say_option(NBD_OPT_STRUCTURED_REPLY, NBD_REP_ACK, 0);
    say_meta();
}
void say_export(uint64_t size, uint16_t flags)
{
    say_option(NBD_OPT_GO, NBD_REP_INFO, 12);
    say16(NBD_INFO_EXPORT);
    say64(size);
    say16(flags);
}
void say_block_size(uint32_t min, uint32_t max)
{
    say_option(NBD_OPT_GO, NBD_REP_INFO, 14);
    say16(NBD_INFO_BLOCK_SIZE);
    say32(min);
    say32(4096);
    say32(max);
}
void say_chunk_to(uint64_t cookie, uint16_t flags, uint16_t type, uint32_t size)
{
    say32(NBD_STRUCTURED_REPLY_MAGIC);
    say16(flags);
    say16(type);
    say64(cookie);
    say32(size);
}
void say_chunk(uint16_t flags, uint16_t type, uint32_t size)
{
    say_chunk_to(command.cookie, flags, type, size);
}
void say_data(uint16_t flags, uint64_t offset, uint32_t size, uint8_t fill)
{
    static uint8_t bytes[READ_BYTES];
    memset(bytes, fill, sizeof bytes);
    say_chunk(flags, NBD_REPLY_OFFSET_DATA, 8 + size);
    say64(offset);
    say(bytes, size);
}
void say_hole(uint16_t flags, uint64_t offset, uint32_t size)
{
    say_chunk(flags, NBD_REPLY_OFFSET_HOLE, 12);
    say64(offset);
    say32(size);
}
void say_simple(uint32_t error, uint64_t cookie)
{
    say32(NBD_SIMPLE_REPLY_MAGIC);
    say32(error);
    say64(cookie);
}

void run(void)
{
    for (int i = 0; i < 40000 && session.state != NBD_LOST; i++) {
        size_t before = peer.in_taken;
        nbd_session_run(&session, peer.now);
        if (peer.in_taken == before && peer.in_taken == peer.in_size)
            break;
    }
}

const struct nbd_patience patience = {
    .connect_ns = 10000000000ull, .silence_ns = 30000000000ull, .idle_ns = 15000000000ull};

const char *fake_tls_answer;
int tls_starts;

static const char *fake_tls_start(const struct vdisk_tls *tls, void *conn, const char *server_name)
{
    (void)tls;
    assert_ptr_equal(conn, &peer);
    assert_string_equal(server_name, "h");
    tls_starts++;
    return fake_tls_answer;
}
const struct vdisk_tls fake_tls = {fake_tls_start};

bool wants_depth;

void begin_with(const struct vdisk_tls *tls)
{
    peer = (struct nbd_peer){.in = said, .out = heard, .piece = SIZE_MAX, .now = 1000};
    done_count = 0;
    nbd_session_init(&session, &peer_platform, &patience);
    const struct nbd_target target = {"h", 1, "root1", tls, wants_depth};
    assert_true(nbd_session_start(&session, &target, peer.now));
    peer.events->connected(peer.owner);
}

void begin(void)
{
    begin_with(NULL);
}

void negotiate(bool structured)
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

void send_command(uint16_t type, uint32_t length)
{
    memset(&command, 0, sizeof command);
    memset(pages, 0xee, sizeof pages);
    command.type = type;
    command.offset = READ_OFFSET;
    command.length = length;
    command.pages = page_table;
    command.data = pages[0];
    command.done = command_done;
    nbd_session_send(&session, &command, peer.now);
    nbd_session_run(&session, peer.now);
}

void read_structured(void)
{
    negotiate(true);
    send_command(NBD_CMD_READ, READ_BYTES);
}

void expect_lost(const char *why)
{
    run();
    assert_int_equal(session.state, NBD_LOST);
    assert_non_null(strstr(session.why, why));
    assert_int_equal(peer.closes, 1);
    assert_int_equal(done_count, 0);
    if (session.in_flight) {
        assert_ptr_equal(nbd_session_take_back(&session), &command);
        assert_null(nbd_session_take_back(&session));
    }
}
