// SPDX-License-Identifier: BSD-2-Clause
/* The virtio-blk driver and a device that fails, hangs, lies, or is pulled out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "virtio_blk_model.h"

#define SECTORS 4096u

static struct virtio_blk_model model;
static struct world_command order, other;

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

static const struct block_counters *counters(void)
{
    return user_counters(&model.user);
}

static void submit(struct world_command *wc, enum block_op op, uint64_t lba)
{
    uint32_t sectors = op == BLOCK_FLUSH ? 0 : 8;

    assert_int_equal(user_submit(&model.user, wc, 0, op, lba, sectors, wc == &other ? 4096 : 0),
                     LEAT_OK);
}

static bool run(enum block_op op, uint64_t limit_ms)
{
    submit(&order, op, 0);
    return user_wait(&model.user, &order, limit_ms);
}

static void errors_are_tried_three_times(void **state)
{
    (void)state;
    model.fail_count = 2;
    model.fail_status = VIRTIO_BLK_IOERR;
    assert_true(run(BLOCK_WRITE, 1000));
    assert_int_equal(model.seen[VIRTIO_BLK_OUT], 3);
    model.fail_count = 4;
    assert_false(run(BLOCK_READ, 1000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(model.seen[VIRTIO_BLK_IN], 3);
    assert_int_equal(counters()->errors, 1);
    assert_int_equal(counters()->repeated, 4);
}

static void what_the_device_does_not_know_is_not_tried_again(void **state)
{
    (void)state;
    model.fail_count = 1;
    model.fail_status = VIRTIO_BLK_UNSUPP;
    assert_false(run(BLOCK_DISCARD, 1000));
    assert_int_equal(model.seen[VIRTIO_BLK_DO_DISCARD], 1);
}

static void a_flush_is_never_tried_again(void **state)
{
    (void)state;
    model.fail_count = 1;
    model.fail_status = VIRTIO_BLK_IOERR;
    assert_false(run(BLOCK_FLUSH, 1000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(model.seen[VIRTIO_BLK_DO_FLUSH], 1);
}

/* The write goes well, the flush behind it does not. */
static void nor_is_that_of_a_fua_write(void **state)
{
    (void)state;
    model.is_slow = true;
    world_command(&model.user.world, &order, BLOCK_WRITE, 0, 8, 0);
    order.command.fua = true;
    assert_int_equal(model.user.driver->submit(model.user.state, 0, &order.command), LEAT_OK);
    virtio_blk_model_complete(&model, 0);
    model.user.driver->interrupt(model.user.state);
    assert_int_equal(order.ends, 0);
    assert_int_equal(model.held_count, 1);
    model.fail_count = 1;
    model.fail_status = VIRTIO_BLK_IOERR;
    virtio_blk_model_complete(&model, 0);
    assert_false(user_wait(&model.user, &order, 1000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(model.seen[VIRTIO_BLK_OUT], 1);
    assert_int_equal(model.seen[VIRTIO_BLK_DO_FLUSH], 1);
}

static void a_command_that_hangs_means_a_reset(void **state)
{
    (void)state;
    uint64_t begin = model.user.world.now_ns;

    model.swallow = 2;
    submit(&other, BLOCK_FLUSH, 0);
    assert_true(run(BLOCK_READ, 100000));
    assert_memory_equal(order.command.data, model.content, 4096);
    assert_in_range(user_ms_since(&model.user, begin), BLOCK_COMMAND_LIMIT_MS,
                    BLOCK_COMMAND_LIMIT_MS + 2000);
    assert_int_equal(model.starts, 2);
    assert_int_equal(counters()->timeouts, 1);
    assert_int_equal(counters()->resets, 1);
    assert_int_equal(other.ends, 1); /* the flush was under way, too */
    assert_false(other.was_ok);
}

static void a_lost_interrupt_costs_a_second(void **state)
{
    (void)state;
    uint64_t begin = model.user.world.now_ns;

    model.irq_is_lost = true;
    assert_true(run(BLOCK_READ, 5000));
    assert_true(user_ms_since(&model.user, begin) <= 1100);
    assert_int_equal(counters()->lost_interrupts, 1);
    assert_int_equal(counters()->resets, 0);
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
    model.is_slow = true;
    submit(&order, BLOCK_READ, 0);
    virtio_blk_model_fail(&model);
    model.is_slow = false;
    assert_true(user_wait(&model.user, &order, 1000));
    assert_memory_equal(order.command.data, model.content, 4096);
    assert_int_equal(model.starts, 2);
    /* without an interrupt */
    model.is_slow = true;
    submit(&order, BLOCK_READ, 0);
    virtio_blk_model_fail(&model);
    model.isr = 0;
    model.is_slow = false;
    assert_true(user_wait(&model.user, &order, 2000));
    assert_int_equal(model.starts, 3);
}

static void a_device_that_was_pulled_out_is_gone(void **state)
{
    (void)state;
    uint64_t begin = model.user.world.now_ns;

    model.is_slow = true;
    submit(&order, BLOCK_READ, 0);
    submit(&other, BLOCK_WRITE, 0);
    model.is_gone = true;
    assert_false(user_wait(&model.user, &order, 5000));
    assert_false(user_wait(&model.user, &other, 5000));
    assert_true(user_ms_since(&model.user, begin) <= 1100);
    assert_null(user_info(&model.user, 0));
    assert_int_equal(user_submit(&model.user, &order, 0, BLOCK_READ, 0, 8, 0), LEAT_EIO);
    assert_int_equal(model.user.driver->tick(model.user.state), UINT64_MAX);
    model.user.driver->stop(model.user.state);
}

static void a_device_that_no_reset_brings_back_is_gone(void **state)
{
    (void)state;
    uint64_t begin = model.user.world.now_ns;

    model.is_slow = true;
    submit(&order, BLOCK_READ, 0);
    virtio_blk_model_fail(&model);
    model.never_resets = true;
    assert_false(user_wait(&model.user, &order, 60000));
    assert_int_equal(order.ends, 1);
    assert_true(user_ms_since(&model.user, begin) <= BLOCK_RESET_LIMIT_MS);
    assert_non_null(strstr(model.user.world.log, "given up: it cannot be reset"));
    assert_null(user_info(&model.user, 0));
}

/* It comes back each time, and does nothing. */
static void a_device_that_hangs_again_and_again_is_gone(void **state)
{
    (void)state;
    struct world_command more[3];

    model.swallow = 1000;
    for (unsigned i = 0; i < 3; i++) {
        submit(&more[i], BLOCK_READ, 0);
        user_wait(&model.user, &more[i], 100000);
        if (!user_info(&model.user, 0))
            break;
    }
    assert_null(user_info(&model.user, 0));
    assert_int_equal(model.starts, 1 + VIRTIO_BLK_RESETS_MOST);
    assert_int_equal(model.status, 0);
}

static void a_disk_that_is_another_after_the_reset_is_gone(void **state)
{
    (void)state;
    model.is_slow = true;
    submit(&order, BLOCK_READ, 0);
    virtio_blk_model_fail(&model);
    model.is_slow = false;
    model.id[0] = 'S';
    assert_false(user_wait(&model.user, &order, 5000));
    assert_non_null(strstr(model.user.world.log, "another disk"));
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
    model.fail_count = 1;
    model.fail_status = 77;
    assert_true(run(BLOCK_WRITE, 1000));
    assert_int_equal(counters()->refused, 3);
}

/* Random faults; each command ends once, a read that succeeded has what the disk has. */
static void trouble_of_all_kinds(void **state)
{
    (void)state;
    static struct world_command wc[32];
    unsigned seed = 1, good = 0;

    for (unsigned round = 0; round < 300; round++) {
        seed = seed * 1103515245 + 12345;
        unsigned fault = seed >> 16;
        model.swallow = fault % 7 == 0;
        model.lie = fault % 5 == 0 ? (int)(fault / 5 % 7) : VIRTIO_LIE_NONE;
        model.fail_count = fault % 11 == 0;
        model.fail_status = VIRTIO_BLK_IOERR;
        model.irq_is_lost = fault % 13 == 0;
        for (unsigned i = 0; i < 32; i++) {
            enum block_op op = (fault + i) % 3 ? BLOCK_READ : BLOCK_WRITE;
            if (op == BLOCK_WRITE)
                world_fill(model.user.world.data + i * 8192, 8192, seed + i);
            assert_int_equal(user_submit(&model.user, &wc[i], 0, op, i * 16, 16, i * 8192),
                             LEAT_OK);
            if (fault % 17 == i)
                virtio_blk_model_fail(&model);
        }
        for (unsigned i = 0; i < 32; i++) {
            good += user_wait(&model.user, &wc[i], 1000000);
            assert_int_equal(wc[i].ends, 1);
            if (wc[i].was_ok)
                assert_memory_equal(wc[i].command.data, model.content + i * 8192, 8192);
        }
        assert_non_null(user_info(&model.user, 0));
    }
    assert_true(good > 300 * 32 - 300);
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
