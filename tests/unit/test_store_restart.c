// SPDX-License-Identifier: BSD-2-Clause
/*
 * The storage service dies and is started again below an open store: whatever was under way then, all commands end
 * well, with the right data, each flush after the writes that it covers; unless the new one has another disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/storage/server.h"
#include "tests/unit/fake_block.h"
#include "vdisk/service/store_disk.h"

#define SECTORS 16384u
#define FIRST 64u
#define COUNT (SECTORS - 128u)
#define BLOCK 4096u
#define IOS 300u   /* more than the channel has pieces of memory */
#define ROUNDS 20u /* of writes, a flush, reads */

struct life { /* of one storage process */
    struct server server;
    struct leat_blk_channel *channel;
};

static struct fake_block block;
static struct life *life; /* NULL: it does not run */
static uint8_t *buffers;
static struct store_disk disk;
static uint64_t chance;
static unsigned ended, went_well;

static unsigned random_below(unsigned bound)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)(chance % bound);
}

static void no_signal(void *ctx)
{
    (void)ctx;
}

static void live(void)
{
    struct guard guard = {&fake_block_driver, &block, 0, FIRST, COUNT};
    struct server_buffers area = {buffers, 0x10000, 2 << 20};
    life = calloc(1, sizeof *life);
    life->channel = aligned_alloc(4096, sizeof *life->channel);
    memset(life->channel, 0, offsetof(struct leat_blk_channel, data));
    server_begin(&life->server, &guard, &block.info, life->channel, &area, no_signal, NULL);
}

/* Some of what the device has taken happens, nobody is told, and the rest never does. */
static void die(void)
{
    if (random_below(2)) {
        server_serve(&life->server);
        fake_block_driver.interrupt(&block);
    }
    if (random_below(2))
        server_flush(&life->server); /* its last words, which nobody reads */
    block.waiting = NULL;
    free(life->channel);
    free(life);
    life = NULL;
}

static int begin(void **state)
{
    (void)state;
    fake_block_begin(&block, SECTORS, 512);
    buffers = aligned_alloc(4096, 2 << 20);
    chance = 88172645463325252ull;
    ended = went_well = 0;
    live();
    store_disk_begin(&disk, life->channel, no_signal, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (life)
        die();
    fake_block_end(&block);
    free(buffers);
    return 0;
}

static void done(struct store_io *io, bool is_ok)
{
    (void)io;
    ended++;
    went_well += is_ok;
}

static void step(void)
{
    if (life) {
        server_serve(&life->server);
        if (random_below(2))
            fake_block_driver.interrupt(&block);
        server_serve(&life->server);
        server_flush(&life->server);
    }
    store_disk_run(&disk);
    store_disk_flush(&disk);
    store_disk_may_sleep(&disk);
}

static void maybe_restart(void)
{
    if (life && random_below(8) == 0) {
        store_disk_pause(&disk); /* from now on the memory is not touched: it is freed */
        die();
    } else if (!life && random_below(3) == 0) {
        live();
        store_disk_resume(&disk, life->channel);
    }
}

static void submit_all(struct store_io *io, unsigned count, enum store_io_type type, uint8_t *data)
{
    ended = went_well = 0;
    for (unsigned i = 0; i < count; i++) {
        bool is_flush = type == STORE_IO_FLUSH;
        io[i] = (struct store_io){.type = type, .done = done};
        io[i].offset = is_flush ? 0 : i * 2ull * BLOCK;
        io[i].length = is_flush ? 0 : BLOCK;
        io[i].data = is_flush ? NULL : data + i * BLOCK;
        store_disk_submit(&disk, &io[i]);
    }
    for (unsigned i = 0; i < 100000 && ended < count; i++) {
        step();
        maybe_restart();
    }
    assert_int_equal(ended, count);
    assert_int_equal(went_well, count);
}

static void nothing_is_lost(void **state)
{
    static struct store_io io[IOS];
    uint8_t *data = aligned_alloc(4096, IOS * BLOCK), *back = aligned_alloc(4096, IOS * BLOCK);
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = 1 + random_below(IOS), flushes = block.flushes;
        for (unsigned i = 0; i < count * BLOCK; i++)
            data[i] = (uint8_t)random_below(256);
        submit_all(io, count, STORE_IO_WRITE, data);
        submit_all(io, 1, STORE_IO_FLUSH, NULL);
        assert_true(block.flushes > flushes);
        memset(back, 0, count * BLOCK);
        submit_all(io, count, STORE_IO_READ, back);
        assert_memory_equal(data, back, count * BLOCK);
    }
    free(data);
    free(back);
}

/* The driver has died, and the next one is there; the disk does not know of it yet. */
static void another_life(void)
{
    step();
    store_disk_pause(&disk);
    die();
    live();
}

static void another_disk(void **state)
{
    struct store_io io = {.type = STORE_IO_FLUSH, .done = done};
    (void)state;
    another_life();
    life->channel->info.size_bytes -= 512;
    store_disk_submit(&disk, &io);
    store_disk_resume(&disk, life->channel);
    step();
    assert_int_equal(ended, 1);
    assert_int_equal(went_well, 0);
}

static void not_ready_yet(void **state)
{
    struct store_io io = {.type = STORE_IO_FLUSH, .done = done};
    (void)state;
    another_life();
    life->channel->info.state = LEAT_BLK_CONNECTING;
    store_disk_submit(&disk, &io);
    store_disk_resume(&disk, life->channel);
    for (unsigned i = 0; i < 10; i++)
        step();
    assert_int_equal(block.given, 0);
    life->channel->info.state = LEAT_BLK_READY;
    for (unsigned i = 0; i < 10; i++)
        step();
    assert_int_equal(went_well, 1);
}

/* It does not come again: what waited fails, and so does all that follows. */
static void given_up(void **state)
{
    struct store_io io[2] = {{.type = STORE_IO_FLUSH, .done = done},
                             {.type = STORE_IO_FLUSH, .done = done}};
    (void)state;
    step();
    store_disk_submit(&disk, &io[0]);
    store_disk_pause(&disk);
    die();
    step();
    assert_int_equal(ended, 0);
    assert_true(store_disk_may_sleep(&disk));
    store_disk_lose(&disk);
    store_disk_submit(&disk, &io[1]);
    step();
    assert_int_equal(ended, 2);
    assert_int_equal(went_well, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_lost, begin, end),
        cmocka_unit_test_setup_teardown(another_disk, begin, end),
        cmocka_unit_test_setup_teardown(not_ready_yet, begin, end),
        cmocka_unit_test_setup_teardown(given_up, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
