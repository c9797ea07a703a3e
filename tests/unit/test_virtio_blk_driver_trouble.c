// SPDX-License-Identifier: BSD-2-Clause
/* The virtio-blk driver and a device that fails, hangs, lies, or is pulled out. */
#include <string.h>

#include "block_cases.h"
#include "virtio_blk_model.h"

#define SECTORS 4096u

static struct virtio_blk_model model;
struct block_user *const user = &model.user;

static int setup(void **state)
{
    (void)state;
    virtio_blk_model_init(&model, SECTORS, VIRTIO_BLK_FLUSH | VIRTIO_BLK_DISCARD);
    return virtio_blk_model_start(&model);
}

static int teardown(void **state)
{
    (void)state;
    virtio_blk_model_free(&model);
    return 0;
}

static void what_the_device_does_not_know_is_not_tried_again(void **state)
{
    (void)state;
    user->fail_count = 1;
    model.fail_status = VIRTIO_BLK_UNSUPP;
    assert_false(run(BLOCK_DISCARD, 1000));
    assert_int_equal(model.seen[VIRTIO_BLK_DO_DISCARD], 1);
}

/* The write goes well, the flush behind it does not. */
static void nor_is_that_of_a_fua_write(void **state)
{
    (void)state;
    user->is_slow = true;
    world_command(&user->world, &order, BLOCK_WRITE, 0, 8, 0);
    order.command.fua = true;
    assert_int_equal(user->driver->submit(user->state, 0, &order.command), LEAT_OK);
    complete(0);
    user->driver->interrupt(user->state);
    assert_int_equal(order.ends, 0);
    assert_int_equal(user->held_count, 1);
    user->fail_count = 1;
    model.fail_status = VIRTIO_BLK_IOERR;
    complete(0);
    assert_false(user_wait(user, &order, 1000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(model.seen[VIRTIO_BLK_OUT], 1);
    assert_int_equal(model.seen[VIRTIO_BLK_DO_FLUSH], 1);
}

static void a_command_that_hangs_means_a_reset(void **state)
{
    (void)state;
    uint64_t begin = user->world.now_ns;

    user->swallow = 2;
    submit(&other, BLOCK_FLUSH, 0);
    assert_true(run(BLOCK_READ, 100000));
    assert_memory_equal(order.command.data, model.content, 4096);
    assert_in_range(ms_since(begin), BLOCK_COMMAND_LIMIT_MS, BLOCK_COMMAND_LIMIT_MS + 2000);
    assert_int_equal(model.starts, 2);
    assert_int_equal(counters()->timeouts, 1);
    assert_int_equal(counters()->resets, 1);
    assert_int_equal(other.ends, 1); /* the flush was under way, too */
    assert_false(other.was_ok);
}

static void a_device_that_wants_no_notification_gets_none(void **state)
{
    (void)state;
    model.no_notify = true;
    assert_true(run(BLOCK_READ, 1000)); /* from now on its wish is in the ring */
    submit(&order, BLOCK_READ, 8);
    assert_int_equal(model.seen[VIRTIO_BLK_IN], 1);
}

static void a_device_that_asks_for_it_is_reset(void **state)
{
    (void)state;
    assert_true(read_over_a_crash(0, 1000));
    assert_memory_equal(order.command.data, model.content, 4096);
    assert_int_equal(model.starts, 2);
    /* without an interrupt */
    crash_under_a_read(0);
    model.isr = 0;
    user->is_slow = false;
    assert_true(user_wait(user, &order, 2000));
    assert_int_equal(model.starts, 3);
}

static void a_device_that_no_reset_brings_back_is_gone(void **state)
{
    (void)state;
    uint64_t begin = user->world.now_ns;

    crash_under_a_read(0);
    model.never_resets = true;
    assert_false(user_wait(user, &order, 60000));
    assert_int_equal(order.ends, 1);
    assert_true(ms_since(begin) <= BLOCK_RESET_LIMIT_MS);
    assert_non_null(strstr(user->world.log, "given up: it cannot be reset"));
    assert_null(user_info(user, 0));
}

/* It comes back each time, and does nothing. */
static void a_device_that_hangs_again_and_again_is_gone(void **state)
{
    (void)state;
    struct world_command more[3];

    user->swallow = 1000;
    for (unsigned i = 0; i < 3; i++) {
        submit(&more[i], BLOCK_READ, 0);
        user_wait(user, &more[i], 100000);
        if (!user_info(user, 0))
            break;
    }
    assert_null(user_info(user, 0));
    assert_int_equal(model.starts, 1 + VIRTIO_BLK_RESETS_MOST);
    assert_int_equal(model.status, 0);
}

static void a_disk_that_is_another_after_the_reset_is_gone(void **state)
{
    (void)state;
    crash_under_a_read(0);
    user->is_slow = false;
    model.id[0] = 'S';
    assert_false(user_wait(user, &order, 5000));
    assert_non_null(strstr(user->world.log, "another disk"));
    assert_int_equal(model.status, 0);
    assert_int_equal(model.seen[VIRTIO_BLK_IN], 1);
}

static void a_used_ring_that_lies_means_a_reset(void **state)
{
    (void)state;
    static const int lies[] = {VIRTIO_LIE_ID, VIRTIO_LIE_INSIDE, VIRTIO_LIE_IDLE, VIRTIO_LIE_INDEX};

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        model.lie = lies[i];
        assert_true(run(BLOCK_READ, 1000));
        assert_int_equal(counters()->refused, i + 1);
        assert_int_equal(counters()->resets, i + 1);
        assert_memory_equal(order.command.data, model.content, 4096);
    }
}

/* "Done" without all of the data, or without a status, is not done. */
static void a_read_that_wrote_too_little_is_repeated(void **state)
{
    (void)state;
    static const int lies[] = {VIRTIO_LIE_SHORT, VIRTIO_LIE_NO_STATUS};

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        model.lie = lies[i];
        assert_true(run(BLOCK_READ, 1000));
        assert_int_equal(counters()->refused, i + 1);
        assert_int_equal(model.seen[VIRTIO_BLK_IN], 2 * i + 2);
    }
    user->fail_count = 1;
    model.fail_status = 77;
    assert_true(run(BLOCK_WRITE, 1000));
    assert_int_equal(counters()->refused, 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(errors_are_tried_three_times),
        TEST(what_the_device_does_not_know_is_not_tried_again),
        TEST(a_flush_is_never_tried_again),
        TEST(nor_is_that_of_a_fua_write),
        TEST(a_command_that_hangs_means_a_reset),
        TEST(a_lost_interrupt_costs_a_second),
        TEST(a_device_that_wants_no_notification_gets_none),
        TEST(a_device_that_asks_for_it_is_reset),
        TEST(a_device_that_was_pulled_out_is_gone),
        TEST(a_device_that_no_reset_brings_back_is_gone),
        TEST(a_device_that_hangs_again_and_again_is_gone),
        TEST(a_disk_that_is_another_after_the_reset_is_gone),
        TEST(a_used_ring_that_lies_means_a_reset),
        TEST(a_read_that_wrote_too_little_is_repeated),
        TEST(trouble_of_all_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
