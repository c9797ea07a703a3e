// SPDX-License-Identifier: BSD-2-Clause
/*
 * The whole way of the store's commands in one process: store, store_disk, channel, server, a driver. What becomes of a
 * partition in each state that it may be found in; and of the store when the other side fails or lies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/storage/server.h"
#include "tests/unit/fake_block.h"
#include "vdisk/service/store_start.h"

/* The disk has 16 MiB; Leat's partition is all of it but the first and the last 64 sectors. */
#define SECTORS 32768u
#define FIRST 64u
#define COUNT (SECTORS - 128u)
#define BYTES (COUNT * 512ull)
#define ENOUGH (64ull << 20)

static struct fake_block block;
static struct server server;
static struct leat_blk_channel *channel;
static uint8_t *buffers;
static struct store_disk disk;
static struct store_start start;
static char lines[2000];
static uint64_t now_ns;

static void no_signal(void *ctx)
{
    (void)ctx;
}

static uint64_t now(void *ctx)
{
    (void)ctx;
    return now_ns;
}

static uint64_t chance(void *ctx)
{
    static uint64_t last = 88172645463325252ull;
    (void)ctx;
    last ^= last << 13;
    last ^= last >> 7;
    return last ^= last << 17;
}

static void submit(void *ctx, struct store_io *io)
{
    store_disk_submit(ctx, io);
}

static void keep_line(void *ctx, const char *line)
{
    (void)ctx;
    strncat(lines, line, sizeof lines - strlen(lines) - 1);
}

static const struct store_platform platform = {&disk, now, chance, submit, keep_line};

/* A machine starts: new processes, the same disk. */
static void power_on(void)
{
    struct guard guard = {&fake_block_driver, &block, 0, FIRST, COUNT};
    struct server_buffers area = {buffers, 0x10000, 2 << 20};
    if (start.store)
        store_destroy(start.store);
    block.waiting = NULL;
    memset(channel, 0, offsetof(struct leat_blk_channel, data));
    server_begin(&server, &guard, &block.info, channel, &area, no_signal, NULL);
    store_disk_begin(&disk, channel, no_signal, NULL);
    lines[0] = 0;
}

static int begin(void **state)
{
    (void)state;
    fake_block_begin(&block, SECTORS, 512);
    channel = aligned_alloc(4096, sizeof *channel);
    buffers = aligned_alloc(4096, 2 << 20);
    start.store = NULL;
    memset(block.bytes, 0x5a, FIRST * 512);
    memset(block.bytes + (FIRST + COUNT) * 512, 0x5a, 64 * 512);
    power_on();
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 64 * 512; i++)
        assert_true(block.bytes[i] == 0x5a && block.bytes[(FIRST + COUNT) * 512 + i] == 0x5a);
    if (start.store)
        store_destroy(start.store);
    start.store = NULL;
    fake_block_end(&block);
    free(channel);
    free(buffers);
    return 0;
}

static void step(void)
{
    server_serve(&server);
    fake_block_driver.interrupt(&block);
    server_serve(&server);
    server_flush(&server);
    store_disk_run(&disk);
    store_disk_flush(&disk);
    now_ns += 1000000;
}

static enum store_start_state open_store(enum store_rule rule, uint64_t memory)
{
    store_start_begin(&start, &disk, &platform, memory, rule);
    for (unsigned i = 0; i < 100000; i++) {
        if (store_start_run(&start))
            return start.state;
        step();
    }
    return STORE_START_DISK;
}

static enum store_status last;

static void done(struct store_op *op, enum store_status status)
{
    (void)op;
    last = status;
}

static enum store_status do_op(struct store_op op)
{
    op.done = done;
    last = (enum store_status) - 1;
    store_submit(start.store, &op);
    for (unsigned i = 0; i < 100000 && last == (enum store_status) - 1; i++) {
        store_run(start.store);
        step();
    }
    return last;
}

static void keeps_a_difference(void **state)
{
    static const uint8_t base[STORE_CONTENT_BYTES] = {1};
    struct store_object *object;
    uint8_t *data = malloc(1 << 20), *back = calloc(1, 1 << 20), held[256];
    (void)state;
    for (unsigned i = 0; i < 1 << 20; i++)
        data[i] = (uint8_t)chance(NULL);
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_OPEN);
    assert_non_null(strstr(lines, "gets a new store of 15 MiB"));
    assert_int_equal(store_difference(start.store, "a", base, 4 << 20, &object), STORE_OK);
    assert_int_equal(do_op((struct store_op){
                         .type = STORE_WRITE, .object = object, .length = 1 << 20, .data = data}),
                     STORE_OK);
    assert_int_equal(do_op((struct store_op){.type = STORE_FLUSH}), STORE_OK);
    assert_true(block.flushes > 0);
    power_on();
    assert_int_equal(open_store(STORE_RULE_NO, ENOUGH), STORE_START_OPEN);
    assert_null(strstr(lines, "gets a new store"));
    assert_int_equal(store_difference(start.store, "a", base, 4 << 20, &object), STORE_OK);
    assert_int_equal(
        do_op((struct store_op){
            .type = STORE_READ, .object = object, .length = 1 << 20, .data = back, .held = held}),
        STORE_OK);
    assert_memory_equal(data, back, 1 << 20);
    free(data);
    free(back);
}

static void rules(void **state)
{
    const uint64_t places[] = {0, (1 << 20) - 1, BYTES - 4096, BYTES - (1 << 20)};
    (void)state;
    assert_int_equal(open_store(STORE_RULE_NO, ENOUGH), STORE_START_NOTHING);
    assert_non_null(strstr(lines, "there is no store yet; [store] format"));
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *at = block.bytes + FIRST * 512 + places[i];
        *at = 1;
        power_on();
        assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_NOTHING);
        assert_non_null(strstr(lines, "holds something that is no store"));
        assert_int_equal(block.writes, 0);
        *at = 0;
    }
    /* Bytes in the middle do not count. */
    memset(block.bytes + FIRST * 512 + (1 << 20), 1, 4096);
    power_on();
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_OPEN);
    power_on();
    memset(block.bytes + FIRST * 512, 1, BYTES);
    assert_int_equal(open_store(STORE_RULE_YES, ENOUGH), STORE_START_OPEN);
}

static void damaged(void **state)
{
    (void)state;
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_OPEN);
    /* All behind the first superblocks: root and index are gone in both copies. */
    power_on();
    memset(block.bytes + FIRST * 512 + 8192, 0xff, BYTES - 16384);
    block.writes = 0;
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_NOTHING);
    assert_non_null(strstr(lines, "damaged; [store] format"));
    power_on();
    assert_int_equal(open_store(STORE_RULE_NO, ENOUGH), STORE_START_NOTHING);
    assert_int_equal(block.writes, 0);
    power_on();
    assert_int_equal(open_store(STORE_RULE_YES, ENOUGH), STORE_START_OPEN);
    power_on();
    block.writes = 0;
    assert_int_equal(open_store(STORE_RULE_YES, ENOUGH),
                     STORE_START_OPEN); /* a good one is left as it is */
    assert_null(strstr(lines, "gets a new store"));
}

static void memory_bounds(void **state)
{
    struct store_info info;
    (void)state;
    assert_true(store_start_use(64ull << 30, 64 << 20) < 64ull << 30);
    assert_true(store_ram_bytes(store_start_use(64ull << 30, 64 << 20), 16) <= 64 << 20);
    assert_true(store_ram_bytes(store_start_use(64ull << 30, 64 << 20) + (2 << 20), 16) > 64 << 20);
    assert_int_equal(store_start_use(BYTES, ENOUGH), BYTES);
    assert_int_equal(store_start_use(64ull << 30, 0), 0);
    uint64_t memory = store_ram_bytes(8 << 20, 16) + (512 << 10);
    assert_int_equal(open_store(STORE_RULE_EMPTY, memory), STORE_START_OPEN);
    store_get_info(start.store, &info);
    assert_true(info.blocks * 4096 <= 8 << 20);
    assert_non_null(strstr(lines, "uses 8 MiB of the partition's 15"));
}

static void too_small(void **state)
{
    (void)state;
    server.size_bytes = 256 << 10;
    channel->info.size_bytes = 256 << 10;
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_NOTHING);
    assert_non_null(strstr(lines, "the local disk is not used"));
}

static void bad_info(void **state)
{
    (void)state;
    channel->info.state = LEAT_BLK_CONNECTING;
    store_start_begin(&start, &disk, &platform, ENOUGH, STORE_RULE_EMPTY);
    assert_false(store_start_run(&start));
    channel->info.state = LEAT_BLK_READY;
    channel->info.block_size = 520;
    assert_true(store_start_run(&start));
    assert_int_equal(start.state, STORE_START_NOTHING);
    power_on();
    channel->info.size_bytes = UINT64_MAX;
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_NOTHING);
    power_on();
    channel->info.features |= LEAT_BLK_READ_ONLY;
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_NOTHING);
    power_on();
    channel->info.state = LEAT_BLK_FAILED;
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_NOTHING);
}

static void disk_fails(void **state)
{
    (void)state;
    block.fail = 1000;
    assert_int_equal(open_store(STORE_RULE_YES, ENOUGH), STORE_START_NOTHING);
    assert_int_equal(block.writes, 0); /* what cannot be read is no blank disk */
    block.fail = 0;
}

static void storage_lost(void **state)
{
    static const uint8_t base[STORE_CONTENT_BYTES] = {1};
    struct store_object *object;
    (void)state;
    assert_int_equal(open_store(STORE_RULE_EMPTY, ENOUGH), STORE_START_OPEN);
    store_disk_lose(&disk);
    assert_int_equal(store_difference(start.store, "a", base, 4 << 20, &object), STORE_OK);
    assert_int_not_equal(do_op((struct store_op){.type = STORE_FLUSH}), STORE_OK);
    power_on();
    store_start_begin(&start, &disk, &platform, ENOUGH, STORE_RULE_EMPTY);
    for (unsigned i = 0; i < 2; i++) {
        store_start_run(&start);
        store_disk_run(&disk);
    }
    store_disk_lose(&disk); /* while it is opened */
    for (unsigned i = 0; i < 100 && !store_start_run(&start); i++)
        store_disk_run(&disk);
    assert_int_equal(start.state, STORE_START_NOTHING);
    assert_true(store_disk_may_sleep(&disk));
}

static unsigned ended, went_well;

static void io_done(struct store_io *io, bool is_ok)
{
    (void)io;
    ended++;
    went_well += is_ok;
}

static void lying_service(void **state)
{
    struct leat_ring_end theirs;
    struct leat_blk_completion lie = {.id = STORE_DISK_IOS + 5};
    uint8_t *data = malloc(4096);
    struct store_io io[2] = {{.type = STORE_IO_READ, .length = 4096, .data = data, .done = io_done},
                             {.type = STORE_IO_FLUSH, .done = io_done}};
    (void)state;
    ended = went_well = 0;
    store_disk_submit(&disk, &io[0]);
    leat_ring_join(&theirs, channel->completions, LEAT_BLK_RING_COUNT, sizeof lie, true);
    assert_int_equal(leat_ring_put(&theirs, &lie), LEAT_OK);
    store_disk_run(&disk);
    assert_int_equal(ended, 1);
    store_disk_submit(&disk, &io[1]);
    assert_false(store_disk_may_sleep(&disk));
    store_disk_run(&disk);
    assert_int_equal(ended, 2);
    power_on();
    store_disk_submit(&disk, &io[0]);
    ((struct leat_ring *)channel->completions)->head = 70000;
    store_disk_run(&disk);
    assert_int_equal(ended, 3);
    assert_int_equal(went_well, 0);
    free(data);
}

/* More commands than the channel has pieces of memory: all end, each with its own data. */
static void many_commands(void **state)
{
    enum { MANY = 400 };
    static struct store_io io[MANY];
    uint8_t *data = aligned_alloc(4096, MANY * 4096);
    (void)state;
    ended = went_well = 0;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            io[i] = (struct store_io){.type = round ? STORE_IO_READ : STORE_IO_WRITE,
                                      .length = 4096,
                                      .offset = i * 8192,
                                      .data = data + i * 4096,
                                      .done = io_done};
            memset(io[i].data, round ? 0 : (int)i, 4096);
            store_disk_submit(&disk, &io[i]);
        }
        for (unsigned i = 0; i < 1000 && ended < (round + 1) * MANY; i++)
            step();
    }
    assert_int_equal(ended, 2 * MANY);
    assert_int_equal(went_well, 2 * MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(data[i * 4096] == (uint8_t)i && data[i * 4096 + 4095] == (uint8_t)i);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_a_difference, begin, end),
        cmocka_unit_test_setup_teardown(rules, begin, end),
        cmocka_unit_test_setup_teardown(damaged, begin, end),
        cmocka_unit_test_setup_teardown(memory_bounds, begin, end),
        cmocka_unit_test_setup_teardown(too_small, begin, end),
        cmocka_unit_test_setup_teardown(bad_info, begin, end),
        cmocka_unit_test_setup_teardown(disk_fails, begin, end),
        cmocka_unit_test_setup_teardown(storage_lost, begin, end),
        cmocka_unit_test_setup_teardown(lying_service, begin, end),
        cmocka_unit_test_setup_teardown(many_commands, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
