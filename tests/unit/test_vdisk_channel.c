// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that a block channel serves an honest vmm and refuses a hostile one, and that caches and
 * overlays keep what they must: the service's channel, the whole engine, a server in memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_server.h"
#include "vdisk/service/channel.h"

static struct leat_blk_channel *shared;
static struct channel channel;
static struct vdisk *engine;
static struct leat_ring_end requests, completions;
static unsigned signals;

static void count_signal(void *ctx)
{
    (void)ctx;
    signals++;
}

static void pump(void)
{
    for (int i = 0; i < 8; i++) {
        tiny_deliver();
        channel_serve(&channel);
        vdisk_run(engine);
        channel_flush(&channel);
    }
}

static void begin(enum vdisk_mode mode, bool is_read_only, uint64_t overlay_bytes)
{
    struct vdisk_limits limits = {.cache_bytes = 4u << 20, .overlay_bytes = overlay_bytes};
    struct vdisk_config config = {
        .name = "vm/root", .host = "h", .port = 1, .mode = mode, .is_read_only = is_read_only};
    tiny_reset();
    for (unsigned i = 0; i < TINY_BYTES; i++)
        tiny_image[i] = (uint8_t)(i >> 9);
    shared = aligned_alloc(4096, sizeof *shared);
    memset(shared, 0, sizeof *shared);
    engine = vdisk_create(&tiny_platform, &limits);
    assert_int_equal(channel_begin(&channel, engine, &config, shared, count_signal, NULL), LEAT_OK);
    leat_ring_join(&requests, shared->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), true);
    leat_ring_join(&completions, shared->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), false);
    pump();
    assert_int_equal(shared->info.state, LEAT_BLK_READY);
    assert_int_equal(shared->info.size_bytes, TINY_BYTES);
    assert_true(signals > 0);
}

static void finish(void)
{
    channel_end(&channel);
    vdisk_destroy(engine);
    free(shared);
    tiny_reset();
}

static int ask(struct leat_blk_request r)
{
    static uint64_t id;
    struct leat_blk_completion c;
    r.id = ++id;
    assert_int_equal(leat_ring_put(&requests, &r), LEAT_OK);
    pump();
    assert_int_equal(leat_ring_get(&completions, &c), LEAT_OK);
    assert_int_equal(c.id, id);
    assert_int_equal(leat_ring_readable(&completions), 0);
    return c.status;
}

static int io(uint32_t op, uint64_t offset, uint64_t length, uint64_t data)
{
    return ask(
        (struct leat_blk_request){.op = op, .offset = offset, .length = length, .data = data});
}

static void test_reads_and_hits(void **state)
{
    (void)state;
    begin(VDISK_PRIVATE, false, 0);
    assert_int_equal(io(LEAT_BLK_READ, 512 * 77, 65536, 4096), LEAT_OK);
    assert_memory_equal(shared->data + 4096, tiny_image + 512 * 77, 65536);
    unsigned reads = tiny_reads;
    assert_int_equal(io(LEAT_BLK_READ, 512 * 80, 4096, 0), LEAT_OK);
    assert_memory_equal(shared->data, tiny_image + 512 * 80, 4096);
    assert_int_equal(tiny_reads, reads);
    finish();
}

static void test_writes_and_flush(void **state)
{
    (void)state;
    begin(VDISK_PRIVATE, false, 0);
    assert_int_equal(io(LEAT_BLK_READ, 0, 8192, 0), LEAT_OK);
    memset(shared->data, 0xab, 512);
    assert_int_equal(io(LEAT_BLK_WRITE, 1024, 512, 0), LEAT_OK);
    assert_int_equal(tiny_image[1024], 0xab);
    assert_int_equal(tiny_flushes, 0);
    assert_int_equal(io(LEAT_BLK_FLUSH, 0, 0, 0), LEAT_OK);
    assert_int_equal(tiny_flushes, 1);
    assert_int_equal(io(LEAT_BLK_FLUSH, 0, 0, 0), LEAT_OK); /* nothing is unflushed any more */
    assert_int_equal(tiny_flushes, 1);
    assert_int_equal(io(LEAT_BLK_READ, 512, 1536, 8192), LEAT_OK);
    assert_memory_equal(shared->data + 8192, tiny_image + 512, 1536);
    finish();
}

static void test_hostile_requests(void **state)
{
    (void)state;
    begin(VDISK_PRIVATE, false, 0);
    struct leat_blk_request good = {.op = LEAT_BLK_READ, .offset = 0, .length = 4096, .data = 0}, r;
    assert_int_equal(ask(good), LEAT_OK);
#define BAD(field, value)                                                                          \
    r = good;                                                                                      \
    r.field = value;                                                                               \
    assert_int_equal(ask(r), LEAT_EINVAL)
    BAD(op, 5);
    BAD(op, UINT32_MAX);
    BAD(flags, 4);
    BAD(length, 0);
    BAD(length, 511);
    BAD(length, LEAT_BLK_MAX_REQUEST + 512);
    BAD(length, UINT64_MAX);
    BAD(length, UINT64_MAX - 511);
    BAD(offset, 1);
    BAD(offset, TINY_BYTES);
    BAD(offset, TINY_BYTES - 3584);
    BAD(offset, UINT64_MAX - 511);
    BAD(data, LEAT_BLK_DATA_BYTES - 4095);
    BAD(data, UINT64_MAX);
    BAD(data, UINT64_MAX - 4095);
    BAD(op, LEAT_BLK_DISCARD); /* the server offers none */
    finish();
}

static void test_read_only(void **state)
{
    (void)state;
    begin(VDISK_PRIVATE, true, 0);
    assert_true(shared->info.features & LEAT_BLK_READ_ONLY);
    assert_int_equal(io(LEAT_BLK_WRITE, 0, 512, 0), LEAT_EROFS);
    assert_int_equal(tiny_writes, 0);
    finish();
}

static void test_broken_ring(void **state)
{
    (void)state;
    begin(VDISK_PRIVATE, false, 0);
    ((struct leat_ring *)(void *)shared->requests)->head = 100000;
    pump();
    assert_true(channel.requests.is_broken);
    assert_true(channel_may_sleep(&channel));
    finish();
}

static void test_ram_mode(void **state)
{
    (void)state;
    begin(VDISK_RAM, false, 1u << 20);
    memset(shared->data, 0xcd, 8192);
    assert_int_equal(io(LEAT_BLK_WRITE, 4096 + 512, 1024, 0), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_READ, 4096, 4096, 65536), LEAT_OK);
    assert_memory_equal(shared->data + 65536, tiny_image + 4096, 512);
    assert_memory_equal(shared->data + 65536 + 512, shared->data, 1024);
    assert_memory_equal(shared->data + 65536 + 1536, tiny_image + 4096 + 1536, 4096 - 1536);
    assert_int_equal(io(LEAT_BLK_WRITE_ZEROES, 4096, 1024, 0), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_READ, 4096, 4096, 65536), LEAT_OK);
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(shared->data[65536 + i], 0);
    assert_int_equal(shared->data[65536 + 1024], 0xcd);
    assert_int_equal(io(LEAT_BLK_DISCARD, 4096, 4096, 0), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_FLUSH, 0, 0, 0), LEAT_OK);
    assert_int_equal(tiny_writes, 0);
    assert_int_equal(io(LEAT_BLK_WRITE, 0, 1u << 20, 0),
                     LEAT_EIO); /* the overlay's leaf takes a part of its 1 MiB */
    finish();
}

static void test_server_away(void **state)
{
    (void)state;
    struct leat_blk_completion c;
    begin(VDISK_PRIVATE, false, 0);
    tiny_is_up = false;
    tiny_cut();
    pump();
    assert_int_equal(shared->info.state, LEAT_BLK_STALLED);
    struct leat_blk_request r = {.id = 9, .op = LEAT_BLK_READ, .offset = 1 << 20, .length = 4096};
    memset(shared->data, 0x77, 4096);
    leat_ring_put(&requests, &r);
    for (int i = 0; i < 100; i++) {
        pump();
        tiny_now_ns += 1000000000;
    }
    assert_int_equal(leat_ring_get(&completions, &c), LEAT_EAGAIN); /* it waits */
    assert_non_null(strstr(shared->info.why, "server away for"));
    assert_non_null(strstr(shared->info.why, "1 requests wait"));
    assert_non_null(strstr(shared->info.why, "connection refused"));
    tiny_is_up = true;
    for (int i = 0; i < 20; i++) {
        pump();
        tiny_now_ns += 1000000000;
    }
    assert_int_equal(leat_ring_get(&completions, &c), LEAT_OK);
    assert_int_equal(c.status, LEAT_OK);
    assert_memory_equal(shared->data, tiny_image + (1 << 20), 4096);
    assert_int_equal(shared->info.state, LEAT_BLK_READY);
    finish();
}

/* Of each kind one or more, as many as the rings hold. */
static unsigned ask_everything(void)
{
    static const uint32_t ops[] = {LEAT_BLK_READ, LEAT_BLK_WRITE, LEAT_BLK_FLUSH};
    for (uint32_t i = 0; i < LEAT_BLK_RING_COUNT; i++) {
        uint32_t op = ops[i % 3];
        struct leat_blk_request r = {.id = i, .op = op};
        if (op != LEAT_BLK_FLUSH) {
            r.offset = i * 16384;
            r.length = op == LEAT_BLK_READ && i % 2 ? 1u << 20 : 16384;
        }
        assert_int_equal(leat_ring_put(&requests, &r), LEAT_OK);
    }
    return LEAT_BLK_RING_COUNT;
}

static unsigned taken(void)
{
    return LEAT_BLK_RING_COUNT - (leat_ring_writable(&requests));
}

/* A vmm that names one piece of its data area again and again gets no more of a turn than another, and in
   the end all that it has asked for. */
static void test_a_turn_is_bounded(void **state)
{
    (void)state;
    struct leat_blk_completion c;
    begin(VDISK_RAM, false, 8u << 20);
    for (unsigned kind = 0; kind < 2; kind++) {
        uint64_t length = kind ? 4096 : 1u << 20;
        unsigned left = LEAT_BLK_RING_COUNT, ended = 0;
        for (uint32_t i = 0; i < LEAT_BLK_RING_COUNT; i++) {
            struct leat_blk_request r = {.id = i, .op = LEAT_BLK_WRITE, .length = length};
            assert_int_equal(leat_ring_put(&requests, &r), LEAT_OK);
        }
        while (left) {
            unsigned most = kind ? CHANNEL_TURN_REQUESTS : 1;
            channel_serve(&channel);
            assert_int_equal(taken(), left - most);
            left -= most;
            vdisk_run(engine);
            channel_flush(&channel);
            assert_true(left == 0 || !channel_may_sleep(&channel));
            while (leat_ring_get(&completions, &c) == LEAT_OK)
                ended++;
        }
        assert_int_equal(ended, LEAT_BLK_RING_COUNT);
    }
    finish();
}

/* Another image behind the same name: nothing that is asked for may wait for ever. */
static void test_failure_ends_all_requests(void **state)
{
    (void)state;
    struct leat_blk_completion c;
    bool is_ended[LEAT_BLK_RING_COUNT] = {false};
    begin(VDISK_PRIVATE, false, 0);
    assert_int_equal(io(LEAT_BLK_WRITE, 0, 4096, 0), LEAT_OK); /* not flushed: to be replayed */
    tiny_is_up = false;
    tiny_cut();
    pump();
    assert_int_equal(shared->info.state, LEAT_BLK_STALLED);
    unsigned count = ask_everything();
    for (int i = 0; i < 20; i++) /* turns are bounded */
        pump();
    assert_int_equal(leat_ring_get(&completions, &c), LEAT_EAGAIN);
    assert_true(channel_may_sleep(&channel));
    assert_true(leat_ring_may_sleep(&completions));
    tiny_is_up = true;
    tiny_size = TINY_BYTES / 2;
    signals = 0;
    for (int i = 0; i < 20; i++) {
        pump();
        tiny_now_ns += 1000000000;
    }
    assert_int_equal(shared->info.state, LEAT_BLK_FAILED);
    assert_non_null(strstr(shared->info.why, "another image?"));
    assert_true(signals > 0);
    while (leat_ring_get(&completions, &c) == LEAT_OK) {
        assert_in_range(c.id, 0, LEAT_BLK_RING_COUNT - 1);
        assert_false(is_ended[c.id]);
        assert_int_equal(c.status, LEAT_EIO);
        is_ended[c.id] = true;
        count--;
    }
    assert_int_equal(count, 0);
    assert_int_equal(io(LEAT_BLK_READ, 0, 4096, 0), LEAT_EIO);
    assert_int_equal(io(LEAT_BLK_WRITE, 0, 4096, 0), LEAT_EIO);
    assert_int_equal(io(LEAT_BLK_FLUSH, 0, 0, 0), LEAT_EIO);
    finish();
}

static void test_lines_for_people(void **state)
{
    (void)state;
    char line[280];
    begin(VDISK_RAM, false, 1u << 20);
    assert_true(vdisk_query_line(channel.disk, line, sizeof line) < sizeof line);
    assert_string_equal(line, "disk 'vm/root': ready, 8.0 MiB; ram, h:1/");
    vdisk_traffic_line(channel.disk, line, sizeof line);
    assert_string_equal(line, "  1 connects");
    assert_int_equal(io(LEAT_BLK_WRITE, 0, 4096, 0), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_READ, 0, 8192, 0), LEAT_OK);
    vdisk_traffic_line(channel.disk, line, sizeof line);
    assert_string_equal(line, "  8 KiB from the server, 4 KiB from the overlay, 4 KiB written, 9 "
                              "KiB in the overlay, 2 requests, 1 connects");
    finish();
}

static void ignore_change(void *owner)
{
    (void)owner;
}

static void test_two_writers_are_refused(void **state)
{
    (void)state;
    begin(VDISK_PRIVATE, false, 0);
    struct vdisk_config config = {.name = "vm2/root", .host = "h", .port = 1, .mode = VDISK_RAM};
    struct vdisk_disk *second = vdisk_attach(engine, &config, ignore_change, NULL);
    struct leat_blk_info info;
    vdisk_info(second, &info);
    assert_int_equal(info.state, LEAT_BLK_FAILED);
    assert_non_null(strstr(info.why, "another disk writes"));
    vdisk_detach(second);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_and_hits),
        cmocka_unit_test(test_writes_and_flush),
        cmocka_unit_test(test_hostile_requests),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_broken_ring),
        cmocka_unit_test(test_ram_mode),
        cmocka_unit_test(test_server_away),
        cmocka_unit_test(test_two_writers_are_refused),
        cmocka_unit_test(test_failure_ends_all_requests),
        cmocka_unit_test(test_a_turn_is_bounded),
        cmocka_unit_test(test_lines_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
