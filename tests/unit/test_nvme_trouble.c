// SPDX-License-Identifier: BSD-2-Clause
/* The NVMe driver and a controller that fails, hangs, lies, or is pulled out. */
#include <string.h>

#include "block_cases.h"
#include "nvme_model.h"

#define BLOCKS 4096u

static struct nvme_model model;
struct block_user *const user = &model.user;

static int setup(void **state)
{
    (void)state;
    nvme_model_init(&model);
    nvme_model_add(&model, 1, BLOCKS, 9);
    nvme_model_add(&model, 2, BLOCKS, 9);
    memset(&order, 0, sizeof(order));
    memset(&other, 0, sizeof(other));
    return nvme_model_start(&model);
}

static int teardown(void **state)
{
    (void)state;
    nvme_model_free(&model);
    return 0;
}

static void an_error_that_is_final_is_told_at_once(void **state)
{
    (void)state;
    user->fail_count = 1;
    model.fail_status = 0x281 << 1 | NVME_STATUS_DNR;
    assert_false(run(BLOCK_READ, 10));
    assert_int_equal(order.ends, 1);
    assert_int_equal(model.seen[NVME_READ], 1);
    assert_string_equal(user->world.log, "nvme: disk 0: read of 8 sectors at 0: status 2/81h\n");
    assert_true(run(BLOCK_READ, 10));
}

static void a_namespace_that_is_not_ready_is_asked_again(void **state)
{
    (void)state;
    user->fail_count = 1;
    model.fail_status = 0x82 << 1;
    assert_true(run(BLOCK_READ, 1000));
    assert_int_equal(model.seen[NVME_READ], 2);
}

static void a_controller_that_fails_everything_does_not_fill_the_log(void **state)
{
    (void)state;
    unsigned lines = user_lines(user);

    user->fail_count = 1000;
    model.fail_status = 0x281 << 1 | NVME_STATUS_DNR;
    for (unsigned i = 0; i < 1000; i++)
        assert_false(run(BLOCK_READ, 10));
    assert_true(user_lines(user) - lines <= 3);
}

static void a_command_that_hangs_is_aborted_and_repeated(void **state)
{
    (void)state;
    uint64_t begin = user->world.now_ns;

    user->swallow = 1;
    assert_true(run(BLOCK_READ, 100000));
    assert_memory_equal(order.command.data, model.ns[0].content, 4096);
    assert_in_range(ms_since(begin), BLOCK_COMMAND_LIMIT_MS, BLOCK_COMMAND_LIMIT_MS + 2000);
    assert_int_equal(model.admin_seen[NVME_ABORT], 1);
    assert_int_equal(model.enables, 1);
    assert_int_equal(counters()->timeouts, 1);
    assert_int_equal(counters()->resets, 0);
}

static void what_an_abort_does_not_end_is_ended_by_a_reset(void **state)
{
    (void)state;
    uint64_t begin = user->world.now_ns;

    user->swallow = 2;
    model.abort_works = false;
    submit(&other, BLOCK_WRITE, 100);
    assert_true(run(BLOCK_READ, 100000));
    assert_true(user_wait(user, &other, 1000));
    assert_in_range(ms_since(begin), BLOCK_COMMAND_LIMIT_MS + NVME_ABORT_LIMIT_MS,
                    BLOCK_COMMAND_LIMIT_MS + NVME_ABORT_LIMIT_MS + 2000);
    assert_int_equal(model.enables, 2);
    assert_int_equal(counters()->resets, 1);
    assert_int_equal(counters()->repeated, 2);
}

static void a_flush_that_hangs_fails(void **state)
{
    (void)state;
    uint64_t begin = user->world.now_ns;

    user->swallow = 1;
    model.abort_works = false;
    assert_false(run(BLOCK_FLUSH, 100000));
    assert_int_equal(order.ends, 1);
    assert_true(ms_since(begin) >= BLOCK_FLUSH_LIMIT_MS);
    assert_int_equal(model.seen[NVME_FLUSH], 1);
    assert_true(run(BLOCK_FLUSH, 1000));
}

static void a_fatal_error_means_a_reset_and_a_flush_that_fails(void **state)
{
    (void)state;
    assert_true(run(BLOCK_WRITE, 1000)); /* in the cache */
    assert_true(read_over_a_crash(8, 5000));
    assert_memory_equal(order.command.data, model.ns[0].content + 4096, 4096);
    assert_int_equal(counters()->resets, 1);
    assert_false(run(BLOCK_FLUSH, 1000));
    assert_int_equal(order.ends, 1);
    assert_true(run(BLOCK_FLUSH, 1000));
}

static void a_fatal_error_with_nothing_to_lose(void **state)
{
    (void)state;
    assert_true(run(BLOCK_WRITE, 1000));
    assert_true(run(BLOCK_FLUSH, 1000));
    assert_true(write_fua(&order));
    assert_true(read_over_a_crash(8, 5000));
    assert_true(run(BLOCK_FLUSH, 1000));
}

/* A write that is done while a flush runs is not covered by it. */
static void a_flush_covers_only_what_was_done_before(void **state)
{
    (void)state;
    user->is_slow = true;
    submit(&order, BLOCK_WRITE, 0);
    submit(&other, BLOCK_FLUSH, 0);
    complete(0);
    complete(0);
    assert_true(user_wait(user, &order, 100));
    assert_true(user_wait(user, &other, 100));
    assert_true(read_over_a_crash(8, 5000));
    assert_false(run(BLOCK_FLUSH, 1000));
}

static void a_controller_that_no_reset_brings_back_is_gone(void **state)
{
    (void)state;
    crash_under_a_read(0);
    model.fails_when_enabled = true;
    assert_false(user_wait(user, &order, 60000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(model.enables, 1 + NVME_RESETS_MOST);
    assert_non_null(strstr(user->world.log, "given up: it fails when it is switched on"));
    assert_false(model.cc & NVME_CC_EN);
    assert_null(user_info(user, 0));
}

/* Its data memory must not be given back while the controller may still write there. */
static void nothing_ends_before_the_controller_is_off(void **state)
{
    (void)state;
    crash_under_a_read(0);
    model.never_off = true;
    assert_false(user_wait(user, &order, 5000));
    assert_int_equal(order.ends, 0);
    model.csts = 0;
    model.never_off = user->is_slow = false;
    assert_true(user_wait(user, &order, 5000));
}

static void tick_does_not_wait_for_a_reset(void **state)
{
    (void)state;
    crash_under_a_read(0);
    model.never_off = true;
    for (unsigned i = 0; i < 300; i++) {
        uint64_t begin = user->world.now_ns;
        uint64_t next = user->driver->tick(user->state);
        assert_true(ms_since(begin) < 2);
        user->world.now_ns = next;
    }
}

static void a_disk_that_is_another_after_the_reset_is_gone(void **state)
{
    (void)state;
    user->is_slow = true;
    submit(&order, BLOCK_READ, 0);
    assert_int_equal(user_submit(user, &other, 1, BLOCK_READ, 0, 8, 4096), LEAT_OK);
    crash();
    user->is_slow = false;
    model.ns[0].blocks--;
    assert_false(user_wait(user, &order, 5000));
    assert_int_equal(order.ends, 1);
    assert_true(user_wait(user, &other, 5000));
    assert_null(user_info(user, 0));
    assert_non_null(user_info(user, 1));
}

/* Completions of commands that there are not; the true one is lost, and its time limit mends that. */
static void completions_that_lie_end_nothing(void **state)
{
    (void)state;
    static const int lies[] = {NVME_LIE_CID, NVME_LIE_QUEUE, NVME_LIE_HEAD, NVME_LIE_OLD_CID};

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        model.lie = lies[i];
        model.abort_works = false;
        submit(&order, BLOCK_READ, 0);
        assert_true(user->driver->interrupt(user->state));
        assert_int_equal(order.ends, 0);
        assert_int_equal(counters()->refused, i + 1);
        assert_true(user_wait(user, &order, 100000));
    }
}

static void a_completion_that_comes_twice_ends_a_command_once(void **state)
{
    (void)state;
    model.lie = NVME_LIE_TWICE;
    assert_true(run(BLOCK_READ, 1000));
    user->is_slow = true;
    submit(&other, BLOCK_READ, 0);
    user->driver->interrupt(user->state);
    assert_int_equal(order.ends, 1);
    assert_int_equal(other.ends, 0);
    assert_int_equal(counters()->refused, 1);
    complete(0);
    assert_true(user_wait(user, &other, 1000));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_error_that_is_final_is_told_at_once),
        TEST(errors_are_tried_three_times),
        TEST(a_namespace_that_is_not_ready_is_asked_again),
        TEST(a_flush_is_never_tried_again),
        TEST(a_controller_that_fails_everything_does_not_fill_the_log),
        TEST(a_command_that_hangs_is_aborted_and_repeated),
        TEST(what_an_abort_does_not_end_is_ended_by_a_reset),
        TEST(a_flush_that_hangs_fails),
        TEST(a_lost_interrupt_costs_a_second),
        TEST(a_fatal_error_means_a_reset_and_a_flush_that_fails),
        TEST(a_fatal_error_with_nothing_to_lose),
        TEST(a_flush_covers_only_what_was_done_before),
        TEST(a_device_that_was_pulled_out_is_gone),
        TEST(a_controller_that_no_reset_brings_back_is_gone),
        TEST(nothing_ends_before_the_controller_is_off),
        TEST(tick_does_not_wait_for_a_reset),
        TEST(a_disk_that_is_another_after_the_reset_is_gone),
        TEST(completions_that_lie_end_nothing),
        TEST(a_completion_that_comes_twice_ends_a_command_once),
        TEST(trouble_of_all_kinds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
