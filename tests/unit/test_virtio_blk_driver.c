// SPDX-License-Identifier: BSD-2-Clause
/* The virtio-blk driver against a model of a device: finding it, start, data, order and depth. */
#include <string.h>

#include "block_cases.h"
#include "drivers/block/match.h"
#include "virtio_blk_model.h"

#define SECTORS 8192u
#define USUAL (VIRTIO_BLK_SEG_MAX | VIRTIO_BLK_BLK_SIZE | VIRTIO_BLK_FLUSH | VIRTIO_BLK_DISCARD)

static struct virtio_blk_model model;
struct block_user *const user = &model.user;

static int setup(void **state)
{
    (void)state;
    virtio_blk_model_init(&model, SECTORS, USUAL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    virtio_blk_model_free(&model);
    return 0;
}

static const struct block_device_info *start(void)
{
    assert_int_equal(virtio_blk_model_start(&model), LEAT_OK);
    assert_int_equal(user->driver->unit_count(user->state), 1);
    return user_info(user, 0);
}

static int setup_started(void **state)
{
    setup(state);
    start();
    return 0;
}

static void the_pci_ids_find_the_driver(void **state)
{
    (void)state;
    const struct block_pci_id modern = {0x1af4, 0x1042, 0x010000};
    const struct block_pci_id transitional = {0x1af4, 0x1001, 0x010000};
    const struct block_pci_id network = {0x1af4, 0x1041, 0x020000};

    assert_string_equal(block_match_find(&modern)->driver, block_driver_virtio_blk.name);
    assert_string_equal(block_match_find(&transitional)->driver, block_driver_virtio_blk.name);
    assert_null(block_match_find(&network));
}

static void the_unit_is_what_the_device_says(void **state)
{
    (void)state;
    const struct block_device_info *info = start();

    assert_string_equal(info->serial, "serial 4711");
    assert_int_equal(info->sectors, SECTORS);
    assert_int_equal(info->sector_bytes, 512);
    assert_int_equal(info->physical_bytes, 512);
    assert_int_equal(info->max_sectors, VIRTIO_BLK_TRANSFER_BYTES / 512);
    assert_int_equal(info->max_discard_sectors, 4096);
    assert_int_equal(info->queue_depth, 64);
    assert_true(info->has_write_cache);
    assert_false(info->has_fua || info->is_read_only);
    assert_true(model.accepted == (VIRTIO_FEATURE_VERSION_1 | USUAL));
    assert_null(user_info(user, 1));
}

static void sectors_of_4096_bytes(void **state)
{
    (void)state;
    struct world_command wc;

    model.offered |= VIRTIO_BLK_TOPOLOGY | VIRTIO_FEATURE_ACCESS_PLATFORM;
    virtio_blk_model_config(&model, VIRTIO_BLK_AT_BLK_SIZE, 4096, 4);
    virtio_blk_model_config(&model, VIRTIO_BLK_AT_PHYSICAL_EXP, 2, 1);
    const struct block_device_info *info = start();
    assert_int_equal(info->sectors, SECTORS / 8);
    assert_int_equal(info->sector_bytes, 4096);
    assert_int_equal(info->physical_bytes, 16384);
    assert_int_equal(info->max_discard_sectors, 512);
    assert_true(run_at(&wc, 0, BLOCK_READ, SECTORS / 8 - 1, 1, 0));
    assert_memory_equal(wc.command.data, model.content + model.bytes - 4096, 4096);
    assert_true(run_at(&wc, 0, BLOCK_DISCARD, 2, 3, 0));
    assert_int_equal(model.content[8192] | model.content[5 * 4096 - 1], 0);
    assert_int_not_equal(model.content[8191], 0);
    assert_int_not_equal(model.content[5 * 4096 + 1], 0);
}

/* SIZE_MAX and SEG_MAX: the model refuses what goes beyond them. */
static void small_segments(void **state)
{
    (void)state;
    static const struct {
        uint32_t size_max, seg_max, transfer, depth;
    } cases[] = {
        {4096, 254, 65536, 14},  {4096 + 100, 16, 65536, 14},    {65536, 254, 524288, 25},
        {65536, 3, 196608, 51},  {1u << 20, 254, 524288, 64},    {32768, 254, 524288, 14},
        {131072, 2, 262144, 64}, {UINT32_MAX, 1000, 524288, 64},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        teardown(state);
        virtio_blk_model_init(&model, SECTORS, USUAL | VIRTIO_BLK_SIZE_MAX);
        virtio_blk_model_config(&model, VIRTIO_BLK_AT_SIZE_MAX, cases[i].size_max, 4);
        virtio_blk_model_config(&model, VIRTIO_BLK_AT_SEG_MAX, cases[i].seg_max, 4);
        const struct block_device_info *info = start();
        assert_int_equal(info->max_sectors, cases[i].transfer / 512);
        assert_int_equal(info->queue_depth, cases[i].depth);
        data_go_both_ways_at_any_place_and_length(state);
    }
}

static void queues_of_any_size(void **state)
{
    (void)state;
    static const uint16_t sizes[][3] = {/* offered, used, depth */
                                        {4, 4, 1},
                                        {8, 8, 2},
                                        {128, 128, 42},
                                        {1024, 256, 64},
                                        {200, 128, 42}};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct world_command wc[50];
        teardown(state);
        setup(state);
        model.queue_most = model.queue_size = sizes[i][0];
        assert_int_equal(start()->queue_depth, sizes[i][2]);
        assert_int_equal(model.queue_size, sizes[i][1]);
        for (unsigned j = 0; j < 50; j++)
            assert_int_equal(user_submit(user, &wc[j], 0, BLOCK_READ, j, 1, j * 512), LEAT_OK);
        for (unsigned j = 0; j < 50; j++) {
            assert_true(user_wait(user, &wc[j], 1000));
            assert_memory_equal(wc[j].command.data, model.content + j * 512, 512);
        }
    }
}

static void a_flush_empties_the_cache(void **state)
{
    (void)state;
    struct world_command wc;

    start();
    assert_true(run_at(&wc, 0, BLOCK_WRITE, 0, 8, 0));
    assert_true(model.is_dirty);
    assert_true(run_at(&wc, 0, BLOCK_FLUSH, 0, 0, 0));
    assert_false(model.is_dirty);
}

static void a_fua_write_is_a_write_and_a_flush(void **state)
{
    (void)state;
    struct world_command wc;

    start();
    assert_true(write_fua(&wc));
    assert_int_equal(model.seen[VIRTIO_BLK_OUT], 1);
    assert_int_equal(model.seen[VIRTIO_BLK_DO_FLUSH], 1);
    assert_false(model.is_dirty);
}

/* 5.2.6.2: a device without FLUSH, or whose cache is off, writes through. */
static void without_a_cache_a_fua_write_is_a_write(void **state)
{
    (void)state;
    struct world_command wc;

    model.offered |= VIRTIO_BLK_CONFIG_WCE;
    assert_false(start()->has_write_cache);
    assert_true(write_fua(&wc));
    assert_int_equal(model.seen[VIRTIO_BLK_DO_FLUSH], 0);

    teardown(state);
    virtio_blk_model_init(&model, SECTORS, 0);
    assert_false(start()->has_write_cache);
    assert_true(write_fua(&wc));
    assert_true(run_at(&wc, 0, BLOCK_FLUSH, 0, 0, 0));
    assert_int_equal(model.seen[VIRTIO_BLK_DO_FLUSH], 0);
    assert_int_equal(user_submit(user, &wc, 0, BLOCK_DISCARD, 0, 1, 0), LEAT_EINVAL);

    teardown(state);
    virtio_blk_model_init(&model, SECTORS, USUAL | VIRTIO_BLK_CONFIG_WCE);
    virtio_blk_model_config(&model, VIRTIO_BLK_AT_WRITEBACK, 1, 1);
    assert_true(start()->has_write_cache);
}

static void a_read_only_device_takes_no_writes(void **state)
{
    (void)state;
    struct world_command wc;

    model.offered |= VIRTIO_BLK_RO;
    assert_true(start()->is_read_only);
    assert_int_equal(user_submit(user, &wc, 0, BLOCK_WRITE, 0, 8, 0), LEAT_EROFS);
    assert_true(run_at(&wc, 0, BLOCK_READ, 0, 8, 0));
}

static void stop_resets_the_device(void **state)
{
    (void)state;
    start();
    user->driver->stop(user->state);
    assert_null(user_info(user, 0));
    assert_int_equal(model.status, 0);
    user->driver->stop(user->state);
}

/* -- what start refuses -- */

static void start_fails(void **state, const char *why)
{
    assert_int_equal(virtio_blk_model_start(&model), LEAT_EIO);
    if (!strstr(user->world.log, why))
        fail_msg("'%s' is not in '%s'", why, user->world.log);
    assert_int_equal(user->driver->unit_count(user->state), 0);
    assert_int_equal(user->driver->tick(user->state), UINT64_MAX);
    user->driver->stop(user->state);
    teardown(state);
    setup(state);
}

static void devices_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    model.offered &= ~VIRTIO_FEATURE_VERSION_1;
    start_fails(state, "virtio 1.0");
    model.refuses_features = true;
    start_fails(state, "refuses");
    model.never_resets = true;
    start_fails(state, "cannot be reset");
    user->is_gone = true;
    start_fails(state, "cannot be reset");
    model.config_moves = true;
    start_fails(state, "changes all the time");
    model.queue_most = 0;
    start_fails(state, "no queue");
    model.queue_most = 2;
    start_fails(state, "no queue");
    model.notify_off = 0x400;
    start_fails(state, "outside");
    model.swallows_all = true;
    start_fails(state, "does not answer");
    virtio_blk_model_config(&model, VIRTIO_BLK_AT_SEG_MAX, 0, 4);
    start_fails(state, "64 KiB");
    model.offered |= VIRTIO_BLK_SIZE_MAX;
    virtio_blk_model_config(&model, VIRTIO_BLK_AT_SIZE_MAX, 511, 4);
    start_fails(state, "64 KiB");
}

static void sizes_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const uint32_t blocks[] = {0, 1, 256, 513, 1536, 8192, UINT32_MAX};
    static const uint64_t capacities[] = {0, UINT64_MAX, 1ull << 55};

    for (unsigned i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        virtio_blk_model_config(&model, VIRTIO_BLK_AT_BLK_SIZE, blocks[i], 4);
        start_fails(state, "no sense");
    }
    for (unsigned i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        virtio_blk_model_config(&model, VIRTIO_BLK_AT_CAPACITY, capacities[i], 8);
        start_fails(state, "no sense");
    }
}

/* The list of capabilities begins at 0x40 with MSI-X; virtio's follow at 0x4c, 20 bytes each: access, notify, device,
   interrupt status, common. */
static void capabilities_that_lie_are_passed_by(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint8_t value;
    } lies[] = {
        {0x06, 0},              /* no list */
        {0x34, 0x00},           /* empty */
        {0x4c + 20 + 3, 9},     /* another type */
        {0x4c + 20 + 4, 7},     /* no such BAR */
        {0x4c + 20 + 4, 0},     /* a BAR that is not there */
        {0x4c + 40 + 11, 0xff}, /* offset beyond the BAR */
        {0x4c + 40 + 12, 4},    /* too short */
        {0x4c + 60 + 12, 0},    /* empty */
        {0x4c + 80 + 15, 0xff}, /* longer than the BAR */
        {0x4c + 80 + 8, 2},     /* not aligned */
        {0x41, 0x40},           /* a loop */
        {0x4c + 20 + 1, 0x4c},  /* another */
        {0x4c + 80, 0x0a},      /* not virtio's */
    };

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        model.pci[lies[i].at] = lies[i].value;
        start_fails(state, "is not there");
    }
    memset(model.pci, 0xff, sizeof(model.pci));
    start_fails(state, "is not there");
    model.pci[0x4c + 80 + 1] = 0xfc; /* one more behind the last, in the last bytes */
    model.pci[0xfc] = 9;
    start();
}

static void of_two_structures_the_first_is_used(void **state)
{
    (void)state;
    memcpy(&model.pci[0xc0], &model.pci[0x4c + 80], 20); /* the common one again, elsewhere */
    model.pci[0xc0 + VIRTIO_CAP_OFFSET + 1] = 0x08;
    model.pci[0x4c + 80 + 1] = 0xc0;
    start();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define STARTED(f) cmocka_unit_test_setup_teardown(f, setup_started, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_pci_ids_find_the_driver),
        TEST(the_unit_is_what_the_device_says),
        TEST(sectors_of_4096_bytes),
        STARTED(data_go_both_ways_at_any_place_and_length),
        TEST(small_segments),
        TEST(queues_of_any_size),
        TEST(a_flush_empties_the_cache),
        STARTED(a_discard_clears_what_it_names),
        TEST(a_fua_write_is_a_write_and_a_flush),
        TEST(without_a_cache_a_fua_write_is_a_write),
        TEST(a_read_only_device_takes_no_writes),
        STARTED(many_at_a_time_in_any_order),
        TEST(stop_resets_the_device),
        TEST(devices_that_cannot_be_used_are_refused),
        TEST(sizes_that_make_no_sense_are_refused),
        TEST(capabilities_that_lie_are_passed_by),
        TEST(of_two_structures_the_first_is_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
