// SPDX-License-Identifier: BSD-2-Clause
/* Mode `local`: what a disk wrote stays with its base image, and trouble is told and contained. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_fixture.h"
#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"

#define MS 1000000ull
#define MIB (1u << 20)

static struct vdisk *engine;
static struct vdisk_disk *disk;
static struct store_fixture store;
static struct vdisk_config config;
static struct vdisk_platform platform;
static uint8_t data[4 * MIB], back[4 * MIB];
static unsigned full_lines, damage_lines;
static int status_seen;
static bool is_done;

static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    full_lines += strstr(line, "store is full") != NULL;
    damage_lines += strstr(line, "are damaged") != NULL;
}

static void request_done(struct vdisk_request *r, int status)
{
    (void)r;
    is_done = true;
    status_seen = status;
}

static void run(unsigned rounds)
{
    while (rounds--) {
        tiny_now_ns += MS;
        store.now_ns = tiny_now_ns;
        tiny_deliver();
        vdisk_run(engine);
        while (!list_is_empty(&store.commands)) {
            store_fixture_deliver(&store);
            vdisk_run(engine);
        }
    }
}

static void attach(void)
{
    struct vdisk_limits limits = {.cache_bytes = 2 * MIB};
    engine = vdisk_create(&platform, &limits);
    disk = vdisk_attach(engine, &config, tiny_changed, NULL);
}

static void detach(void)
{
    vdisk_drain(engine);
    run(20);
    assert_true(vdisk_is_drained(engine));
    vdisk_detach(disk);
    vdisk_destroy(engine);
}

static void restart(void)
{
    detach();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    attach();
    vdisk_use_store(engine, store.store);
    run(5);
}

static int io(uint32_t op, uint32_t flags, uint64_t offset, uint64_t length, uint8_t *bytes)
{
    struct vdisk_request r = {.op = op, .flags = flags, .offset = offset, .length = length};
    r.data = bytes;
    r.done = request_done;
    is_done = false;
    vdisk_submit(disk, &r);
    for (unsigned i = 0; i < 200 && !is_done; i++)
        run(1);
    assert_true(is_done);
    return status_seen;
}

static int put(uint64_t offset, uint64_t length)
{
    return io(LEAT_BLK_WRITE, 0, offset, length, data);
}

static int get(uint64_t offset, uint64_t length)
{
    return io(LEAT_BLK_READ, 0, offset, length, back);
}

static enum leat_blk_state state_now(void)
{
    struct leat_blk_info info;
    vdisk_info(disk, &info);
    return info.state;
}

static int setup_with(uint64_t store_bytes)
{
    tiny_reset();
    tiny_fill();
    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 2246822519u >> 11);
    full_lines = damage_lines = 0;
    platform = tiny_platform;
    platform.log = log_line;
    config = (struct vdisk_config){.name = "vm/root", .host = "h", .port = 1, .mode = VDISK_LOCAL};
    store_fixture_new(&store, store_bytes);
    attach();
    vdisk_use_store(engine, store.store);
    run(5);
    return 0;
}

static int setup_spill(void **state)
{
    (void)state;
    setup_with(16 * MIB);
    vdisk_detach(disk);
    vdisk_destroy(engine);
    config.mode = VDISK_RAM;
    config.overlay_bytes = 256 << 10;
    attach();
    vdisk_use_store(engine, store.store);
    run(5);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_with(16 * MIB);
}

static int setup_small(void **state)
{
    (void)state;
    return setup_with(2 * MIB);
}

static int teardown(void **state)
{
    (void)state;
    vdisk_detach(disk);
    vdisk_destroy(engine);
    store_fixture_end(&store);
    return 0;
}

static void what_was_written_stays(void **state)
{
    (void)state;
    assert_int_equal(put(8192, 65536), LEAT_OK);
    assert_int_equal(put(512, 512), LEAT_OK); /* a part of a block */
    restart();
    assert_int_equal(get(0, 131072), LEAT_OK);
    assert_memory_equal(back, tiny_image, 512);
    assert_memory_equal(back + 512, data, 512);
    assert_memory_equal(back + 1024, tiny_image + 1024, 8192 - 1024);
    assert_memory_equal(back + 8192, data, 65536);
    assert_memory_equal(back + 73728, tiny_image + 73728, 131072 - 73728);
    assert_int_equal(tiny_writes, 0);
}

static void zeroes_and_discard(void **state)
{
    (void)state;
    static const uint8_t zeros[8192];
    assert_int_equal(put(0, 32768), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_WRITE_ZEROES, LEAT_BLK_FUA, 4096, 8192, NULL), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_WRITE_ZEROES, LEAT_BLK_NO_HOLE, 16384, 512, NULL), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_DISCARD, LEAT_BLK_FUA, 24576, 8192, NULL), LEAT_OK);
    restart();
    assert_int_equal(get(0, 32768), LEAT_OK);
    assert_memory_equal(back, data, 4096);
    assert_memory_equal(back + 4096, zeros, 8192);
    assert_memory_equal(back + 12288, data + 12288, 4096);
    assert_memory_equal(back + 16384, zeros, 512);
    assert_memory_equal(back + 16896, data + 16896, 24576 - 16896);
    assert_memory_equal(back + 24576, tiny_image + 24576, 8192);
}

static void another_base_is_refused(void **state)
{
    (void)state;
    char line[300];
    assert_int_equal(put(0, 4096), LEAT_OK);
    detach();
    tiny_image[MIB] ^= 1; /* one of the samples */
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    attach();
    vdisk_use_store(engine, store.store);
    run(10);
    assert_int_equal(state_now(), LEAT_BLK_FAILED);
    vdisk_status_line(disk, line, sizeof line);
    assert_non_null(strstr(line, "another base image"));
    assert_int_equal(get(0, 4096), LEAT_EIO);
    detach();
    tiny_image[MIB] ^= 1;
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    attach();
    vdisk_use_store(engine, store.store);
    assert_int_equal(get(0, 4096), LEAT_OK);
    assert_memory_equal(back, data, 4096);
}

static void waits_for_a_store(void **state)
{
    (void)state;
    char line[300];
    vdisk_detach(disk);
    vdisk_destroy(engine);
    config.give_up_ns = 500 * MS;
    attach();
    run(20);
    assert_int_equal(state_now(), LEAT_BLK_CONNECTING);
    vdisk_status_line(disk, line, sizeof line);
    assert_non_null(strstr(line, "waits for the local store"));
    struct vdisk_request r = {.length = 4096, .data = back, .done = request_done};
    is_done = false;
    vdisk_submit(disk, &r);
    run(100);
    assert_false(is_done);
    run(500);
    assert_true(is_done);
    assert_int_equal(status_seen, LEAT_EIO);
    vdisk_use_store(engine, store.store);
    assert_int_equal(get(0, 4096), LEAT_OK);
    vdisk_use_store(engine, NULL);
    assert_int_equal(state_now(), LEAT_BLK_FAILED);
    assert_int_equal(get(0, 4096), LEAT_EIO);
}

static void a_full_store_fails_only_what_does_not_fit(void **state)
{
    (void)state;
    uint64_t at = 0;
    int status = LEAT_OK;
    while (status == LEAT_OK && at < TINY_BYTES)
        status = put(at, 65536), at += 65536;
    assert_int_equal(status, LEAT_ENOSPC);
    assert_int_equal(put(at, 65536), LEAT_ENOSPC);
    assert_int_equal(full_lines, 1);
    assert_int_equal(put(0, 65536), LEAT_OK); /* what is held can be overwritten */
    assert_int_equal(get(at + 65536, 65536), LEAT_OK);
    assert_memory_equal(back, tiny_image + at + 65536, 65536);
    assert_int_equal(io(LEAT_BLK_DISCARD, 0, 0, at / 2, NULL), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_FLUSH, 0, 0, 0, NULL), LEAT_OK);
    assert_int_equal(put(at, 65536), LEAT_OK);
}

static void zeroes_that_keep_their_place_can_be_written(void **state)
{
    (void)state;
    assert_int_equal(io(LEAT_BLK_WRITE_ZEROES, LEAT_BLK_NO_HOLE, 0, MIB, NULL), LEAT_OK);
    uint64_t at = 2 * MIB;
    while (put(at, 65536) == LEAT_OK)
        at += 65536;
    for (uint64_t i = 0; i < MIB; i += 65536)
        assert_int_equal(put(i, 65536), LEAT_OK);
}

/* Where the store has put these bytes. */
static uint8_t *find(const uint8_t *bytes, size_t size)
{
    for (uint64_t at = 0; at + size < 16 * MIB; at++)
        if (!memcmp(store.disk + at, bytes, size))
            return store.disk + at;
    return NULL;
}

static void damage_is_an_error_and_never_the_base(void **state)
{
    (void)state;
    assert_int_equal(put(0, 16384), LEAT_OK);
    assert_int_equal(io(LEAT_BLK_FLUSH, 0, 0, 0, NULL), LEAT_OK);
    uint8_t *at = find(data + 4096, 4096);
    assert_non_null(at);
    *at ^= 4;
    assert_int_equal(get(4096, 4096), LEAT_EIO);
    assert_int_equal(get(4096, 512), LEAT_EIO);
    assert_int_equal(damage_lines, 1);
    assert_int_equal(get(8192, 4096), LEAT_OK);
    assert_int_equal(put(4096, 4096), LEAT_OK);
    assert_int_equal(get(4096, 4096), LEAT_OK);
    assert_memory_equal(back, data, 4096);
}

static void one_disk_has_a_difference(void **state)
{
    (void)state;
    char line[300];
    struct vdisk_disk *other = vdisk_attach(engine, &config, tiny_changed, NULL);
    run(5);
    vdisk_status_line(other, line, sizeof line);
    assert_non_null(strstr(line, "another disk has the difference"));
    assert_int_equal(put(0, 4096), LEAT_OK);
    vdisk_detach(other);
}

/* A VM dies with requests under way: its memory goes away, and the next one finds all that was done. */
static void detached_in_the_middle(void **state)
{
    (void)state;
    uint8_t *memory = malloc(MIB);
    memcpy(memory, data, MIB);
    assert_int_equal(put(4 * MIB, 4096), LEAT_OK);
    struct vdisk_request w = {
        .op = LEAT_BLK_WRITE, .length = MIB, .data = memory, .done = request_done};
    struct vdisk_request r = {
        .offset = 4 * MIB, .length = 8192, .data = memory, .done = request_done};
    vdisk_submit(disk, &w);
    vdisk_submit(disk, &r);
    vdisk_run(engine); /* the store has begun with both */
    vdisk_detach(disk);
    free(memory);
    memset(&w, 0xee, sizeof w);
    memset(&r, 0xee, sizeof r);
    disk = vdisk_attach(engine, &config, tiny_changed, NULL);
    assert_int_equal(get(4 * MIB, 8192), LEAT_OK);
    assert_memory_equal(back, data, 4096);
    assert_memory_equal(back + 4096, tiny_image + 4 * MIB + 4096, 4096);
}

/* Mode ram: more is written than the overlay may hold; with the disk it goes, or at the next start. */
static void older_pages_go_to_the_store(void **state)
{
    (void)state;
    assert_int_equal(put(512, sizeof data - 1024), LEAT_OK);
    assert_true(store_fixture_info(&store).other_blocks > 512);
    assert_int_equal(put(8192, 512), LEAT_OK);
    assert_int_equal(get(0, sizeof back), LEAT_OK);
    assert_memory_equal(back, tiny_image, 512);
    assert_memory_equal(back + 512, data, 8192 - 512);
    assert_memory_equal(back + 8192, data, 512);
    assert_memory_equal(back + 8704, data + 8192, sizeof data - 1024 - 8192);
    assert_memory_equal(back + sizeof back - 512, tiny_image + sizeof back - 512, 512);
    assert_int_equal(io(LEAT_BLK_DISCARD, 0, 0, MIB, NULL), LEAT_OK);
    assert_int_equal(get(0, MIB), LEAT_OK);
    for (unsigned i = 0; i < MIB; i++) /* the base again, or zeros */
        assert_true(back[i] == tiny_image[i] || back[i] == 0);
    run(6000); /* six seconds: all that the store knows is on its disk by itself */
    vdisk_detach(disk);
    vdisk_destroy(engine); /* no time to tidy up */
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    assert_true(store_fixture_info(&store).other_blocks > 512);
    attach();
    vdisk_use_store(engine, store.store);
    assert_int_equal(get(MIB, MIB), LEAT_OK);
    assert_memory_equal(back, tiny_image + MIB, MIB);
    run(6000); /* six seconds: changes have been made durable, slots are free again */
    assert_int_equal(store_fixture_info(&store).other_blocks, 0);
    assert_int_equal(put(0, MIB), LEAT_OK);
    struct vdisk_disk *other = vdisk_attach(engine, &config, tiny_changed, NULL);
    vdisk_detach(disk);
    disk = other;
    run(6000);
    assert_int_equal(store_fixture_info(&store).other_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(zeroes_and_discard, setup, teardown),
        cmocka_unit_test_setup_teardown(another_base_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_a_store, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_store_fails_only_what_does_not_fit, setup_small,
                                        teardown),
        cmocka_unit_test_setup_teardown(zeroes_that_keep_their_place_can_be_written, setup_small,
                                        teardown),
        cmocka_unit_test_setup_teardown(damage_is_an_error_and_never_the_base, setup, teardown),
        cmocka_unit_test_setup_teardown(one_disk_has_a_difference, setup, teardown),
        cmocka_unit_test_setup_teardown(detached_in_the_middle, setup, teardown),
        cmocka_unit_test_setup_teardown(older_pages_go_to_the_store, setup_spill, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
