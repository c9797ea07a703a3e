// SPDX-License-Identifier: BSD-2-Clause
/* The storage service between a channel and a driver: the guard, the probe, and what the server makes of requests. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/storage/probe.h"
#include "services/storage/server.h"
#include "tests/unit/fake_block.h"
#include "tests/unit/gpt_maker.h"

/* The disk has 8 MiB; Leat's partition is its sectors 4096 to 12287. */
#define SECTORS 16384u
#define FIRST 4096u
#define COUNT 8192u

static struct fake_block disk;
static struct server server;
static struct leat_blk_channel *channel;
static struct leat_ring_end requests, completions;
static uint8_t *buffers;
static unsigned signals;

static void count_signal(void *ctx)
{
    (void)ctx;
    signals++;
}

static int begin_of(uint32_t sector_bytes, uint64_t buffer_bytes)
{
    struct guard guard = {&fake_block_driver, &disk, 0, FIRST, COUNT};
    struct server_buffers area;
    fake_block_begin(&disk, SECTORS, sector_bytes);
    channel = aligned_alloc(4096, sizeof *channel);
    buffers = aligned_alloc(4096, buffer_bytes);
    memset(channel, 0, sizeof *channel);
    leat_ring_join(&requests, channel->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), true);
    leat_ring_join(&completions, channel->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), false);
    area = (struct server_buffers){buffers, 0x10000, buffer_bytes};
    server_begin(&server, &guard, &disk.info, channel, &area, count_signal, NULL);
    signals = 0;
    return 0;
}

static int begin(void **state)
{
    (void)state;
    return begin_of(512, 2 << 20);
}

static int end(void **state)
{
    (void)state;
    fake_block_end(&disk);
    free(channel);
    free(buffers);
    return 0;
}

static void put(uint32_t op, uint64_t id, uint64_t offset, uint64_t length, uint64_t data)
{
    struct leat_blk_request r = {
        .id = id, .op = op, .offset = offset, .length = length, .data = data};
    assert_int_equal(leat_ring_put(&requests, &r), LEAT_OK);
}

static void run(void)
{
    do {
        server_serve(&server);
        fake_block_driver.interrupt(&disk);
        server_serve(&server);
        server_flush(&server);
    } while (server_is_busy(&server));
}

static int result_of(uint64_t id)
{
    struct leat_blk_completion c;
    assert_int_equal(leat_ring_get(&completions, &c), LEAT_OK);
    assert_int_equal(c.id, id);
    return c.status;
}

static int do_one(uint32_t op, uint64_t offset, uint64_t length, uint64_t data)
{
    put(op, 99, offset, length, data);
    run();
    return result_of(99);
}

static void announces(void **state)
{
    (void)state;
    assert_int_equal(channel->info.state, LEAT_BLK_READY);
    assert_int_equal(channel->info.size_bytes, COUNT * 512);
    assert_int_equal(channel->info.block_size, 512);
    assert_int_equal(channel->info.features, LEAT_BLK_CAN_FLUSH | LEAT_BLK_CAN_FUA);
    server_flush(&server);
    assert_int_equal(signals, 1);
}

static void writes_and_reads(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200000; i++)
        channel->data[4096 + i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(do_one(LEAT_BLK_WRITE, 512, 199680, 4096), LEAT_OK);
    assert_memory_equal(disk.bytes + (FIRST + 1) * 512, channel->data + 4096, 199680);
    assert_int_equal(disk.writes, 4); /* of 64 KiB at most */
    assert_int_equal(disk.most_sectors, 128);
    assert_int_equal(do_one(LEAT_BLK_READ, 512, 199680, 1 << 20), LEAT_OK);
    assert_memory_equal(channel->data + (1 << 20), channel->data + 4096, 199680);
    for (unsigned i = 0; i < SECTORS * 512; i++)
        assert_true((i >= (FIRST + 1) * 512 && i < (FIRST + 1) * 512 + 199680) || !disk.bytes[i]);
    assert_int_equal(do_one(LEAT_BLK_READ, COUNT * 512 - 512, 512, 0), LEAT_OK); /* the last one */
}

static void flush_and_fua(void **state)
{
    struct leat_blk_request r = {
        .id = 1, .op = LEAT_BLK_WRITE, .flags = LEAT_BLK_FUA, .length = 131072};
    (void)state;
    assert_int_equal(do_one(LEAT_BLK_FLUSH, 77, 0, 0), LEAT_OK); /* its offset says nothing */
    assert_int_equal(disk.flushes, 1);
    assert_int_equal(leat_ring_put(&requests, &r), LEAT_OK);
    run();
    assert_int_equal(result_of(1), LEAT_OK);
    assert_int_equal(disk.fua_writes, 2);
}

static void refuses(void **state)
{
    const uint64_t size = COUNT * 512;
    const struct {
        uint32_t op;
        uint64_t offset, length, data;
    } cases[] = {
        {LEAT_BLK_READ, size, 512, 0},
        {LEAT_BLK_READ, size - 512, 1024, 0},
        {LEAT_BLK_WRITE, UINT64_MAX - 511, 512, 0},
        {LEAT_BLK_WRITE, 512, UINT64_MAX - 511, 0},
        {LEAT_BLK_WRITE, 0, 0, 0},
        {LEAT_BLK_WRITE, 1, 512, 0},
        {LEAT_BLK_WRITE, 0, 511, 0},
        {LEAT_BLK_READ, 0, LEAT_BLK_MAX_REQUEST + 512, 0},
        {LEAT_BLK_READ, 0, 512, LEAT_BLK_DATA_BYTES - 511},
        {LEAT_BLK_READ, 0, 512, UINT64_MAX},
        {LEAT_BLK_DISCARD, 0, 512, 0},
        {LEAT_BLK_WRITE_ZEROES, 0, 512, 0},
        {77, 0, 512, 0},
        {UINT32_MAX, 0, 512, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(do_one(cases[i].op, cases[i].offset, cases[i].length, cases[i].data),
                         LEAT_EINVAL);
    assert_int_equal(disk.given, 0);
}

static void many(void **state)
{
    uint8_t is_seen[LEAT_BLK_RING_COUNT] = {0};
    (void)state;
    for (unsigned i = 0; i < LEAT_BLK_RING_COUNT; i++)
        put(LEAT_BLK_READ, i, 0, 1 << 16, 0);
    run();
    assert_int_equal(disk.most_waiting, SERVER_PIECES_MOST);
    for (unsigned i = 0; i < LEAT_BLK_RING_COUNT; i++) {
        struct leat_blk_completion c;
        assert_int_equal(leat_ring_get(&completions, &c), LEAT_OK);
        assert_true(c.id < LEAT_BLK_RING_COUNT && !is_seen[c.id]);
        is_seen[c.id] = 1;
    }
    /* A client that takes no completions waits for itself alone, and loses none. */
    for (unsigned i = 0; i < 2 * LEAT_BLK_RING_COUNT; i++) {
        put(LEAT_BLK_FLUSH, i, 0, 0, 0);
        run();
    }
    for (unsigned i = 0; i < 2 * LEAT_BLK_RING_COUNT; i++) {
        assert_int_equal(result_of(i), LEAT_OK);
        server_flush(&server);
    }
}

static void one_buffer(void **state)
{
    end(state);
    begin_of(512, SERVER_PIECE_BYTES);
    put(LEAT_BLK_READ, 1, 0, 1 << 20, 0);
    put(LEAT_BLK_FLUSH, 2, 0, 0, 0);
    run();
    assert_int_equal(result_of(1), LEAT_OK);
    assert_int_equal(result_of(2), LEAT_OK);
    assert_int_equal(disk.reads, 16);
    assert_int_equal(disk.most_waiting, 1);
}

static void errors(void **state)
{
    (void)state;
    disk.fail = 1;
    assert_int_equal(do_one(LEAT_BLK_WRITE, 0, 512, 0), LEAT_EIO);
    disk.fail = 1;
    assert_int_equal(do_one(LEAT_BLK_READ, 0, 1 << 20, 0), LEAT_EIO);
    disk.fail = 100;
    put(LEAT_BLK_READ, 1, 0, 1 << 20, 0);
    put(LEAT_BLK_READ, 2, 0, 1 << 20, 0);
    put(LEAT_BLK_READ, 3, 0, 1 << 20, 0);
    run();
    disk.fail = 0;
    for (unsigned i = 0; i < 3; i++) {
        struct leat_blk_completion c;
        assert_int_equal(leat_ring_get(&completions, &c), LEAT_OK);
        assert_int_equal(c.status, LEAT_EIO);
    }
    assert_int_equal(do_one(LEAT_BLK_READ, 0, 1 << 20, 0), LEAT_OK);
    assert_int_equal(channel->info.state, LEAT_BLK_READY);
}

static void device_pulled(void **state)
{
    (void)state;
    put(LEAT_BLK_WRITE, 1, 0, 1 << 20, 0);
    server_serve(&server);
    disk.is_gone = true;
    run();
    assert_int_equal(result_of(1), LEAT_EIO);
    assert_int_equal(channel->info.state, LEAT_BLK_FAILED);
    assert_int_not_equal(channel->info.why[0], 0);
    assert_int_equal(do_one(LEAT_BLK_READ, 0, 4096, 0), LEAT_EIO);
}

static void broken_client(void **state)
{
    (void)state;
    ((struct leat_ring *)channel->requests)->head = 5000;
    run();
    assert_true(server_may_sleep(&server));
    assert_int_equal(disk.given, 0);
}

static void guard_aborts(void **state)
{
    static const struct {
        uint8_t op;
        uint64_t lba;
        uint32_t sectors;
        bool must_abort;
    } cases[] = {
        {BLOCK_WRITE, FIRST - 1, 1, true},
        {BLOCK_WRITE, FIRST + COUNT, 1, true},
        {BLOCK_WRITE, FIRST + COUNT - 1, 2, true},
        {BLOCK_WRITE, 0, 1, true},
        {BLOCK_WRITE, FIRST, UINT32_MAX, true},
        {BLOCK_WRITE, UINT64_MAX, 2, true},
        {BLOCK_WRITE, FIRST, 0, true},
        {BLOCK_DISCARD, FIRST - 1, 2, true},
        {77, 0, 1, true},
        {BLOCK_WRITE, FIRST, 1, false},
        {BLOCK_WRITE, FIRST + COUNT - 1, 1, false},
        {BLOCK_READ, 0, 1, false},
        {BLOCK_FLUSH, 0, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            struct guard guard = {&fake_block_driver, &disk, 0, FIRST, COUNT};
            struct block_command c = {
                .op = cases[i].op, .lba = cases[i].lba, .sectors = cases[i].sectors};
            signal(SIGABRT, SIG_DFL);
            guard_submit(&guard, &c);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(cases[i].must_abort, WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static void no_wait(void *context, uint32_t us)
{
    (void)context;
    (void)us;
}

static void probes(void **state)
{
    static const uint8_t leat[GUID_BYTES] = GUID_LEAT_PARTITION;
    struct made_disk made = {disk.bytes, SECTORS, 512, UINT64_MAX};
    struct block_platform platform = {.delay_us = no_wait};
    struct server_buffers area = {buffers, 0x10000, SERVER_PIECE_BYTES};
    uint8_t *table = malloc(GPT_BUFFER_BYTES);
    struct probe probe = {&fake_block_driver, &disk, &platform, &area, table};
    struct gpt_result result;
    (void)state;
    assert_int_equal(probe_unit(&probe, 0, &result), GPT_NONE);
    made_begin(&made);
    made_partition(&made, 3, leat, FIRST, FIRST + COUNT - 1);
    made_seal(&made);
    uint8_t *before = malloc(SECTORS * 512);
    memcpy(before, disk.bytes, SECTORS * 512);
    assert_int_equal(probe_unit(&probe, 0, &result), GPT_OK);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.found[0].first, FIRST);
    assert_int_equal(result.found[0].sectors, COUNT);
    disk.fail = 1;
    assert_int_equal(probe_unit(&probe, 0, &result), GPT_REFUSED);
    assert_memory_equal(before, disk.bytes, SECTORS * 512);
    assert_int_equal(disk.writes, 0);
    free(before);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(announces, begin, end),
        cmocka_unit_test_setup_teardown(writes_and_reads, begin, end),
        cmocka_unit_test_setup_teardown(flush_and_fua, begin, end),
        cmocka_unit_test_setup_teardown(refuses, begin, end),
        cmocka_unit_test_setup_teardown(many, begin, end),
        cmocka_unit_test_setup_teardown(one_buffer, begin, end),
        cmocka_unit_test_setup_teardown(errors, begin, end),
        cmocka_unit_test_setup_teardown(device_pulled, begin, end),
        cmocka_unit_test_setup_teardown(broken_client, begin, end),
        cmocka_unit_test_setup_teardown(guard_aborts, begin, end),
        cmocka_unit_test_setup_teardown(probes, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
