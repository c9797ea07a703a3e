// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block/work.h: when a device is asked how it is, and what counts as an interrupt that it forgot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "drivers/block/work.h"

#define SECOND 1000000000ull

static struct block_work work;
static struct block_command one, two;

static int setup(void **state)
{
    (void)state;
    work = (struct block_work){.slots = 2};
    block_work_add(&work, 0, &one);
    return 0;
}

static void nobody_is_asked_who_has_nothing(void **state)
{
    (void)state;
    assert_false(block_work_watch(&work, 100 * SECOND));
    assert_true(block_work_next(&work) == BLOCK_NEVER);
}

static void a_device_is_asked_every_second(void **state)
{
    (void)state;
    assert_int_equal(block_work_take(&work, 5 * SECOND), 0);
    block_work_add(&work, 0, &two);
    assert_int_equal(block_work_take(&work, 5 * SECOND + SECOND / 2), 1); /* puts nothing off */
    assert_true(block_work_next(&work) == 6 * SECOND);
    assert_false(block_work_watch(&work, 6 * SECOND - 1));
    assert_true(block_work_watch(&work, 6 * SECOND));
    assert_false(block_work_watch(&work, 6 * SECOND));
    assert_true(block_work_next(&work) == 7 * SECOND);
}

static void the_second_begins_anew_after_a_rest(void **state)
{
    (void)state;
    assert_int_equal(block_work_take(&work, 5 * SECOND), 0);
    block_work_add(&work, 0, block_work_release(&work, 0));
    assert_false(block_work_watch(&work, 9 * SECOND));
    assert_int_equal(block_work_take(&work, 9 * SECOND), 0);
    assert_false(block_work_watch(&work, 10 * SECOND - 1));
    assert_true(block_work_watch(&work, 10 * SECOND));
}

static void only_an_end_without_an_interrupt_is_a_lost_one(void **state)
{
    (void)state;
    block_work_watched(&work, 2);
    assert_int_equal(work.counters.lost_interrupts, 2);
    block_work_interrupted(&work);
    block_work_watched(&work, 3);
    assert_int_equal(work.counters.lost_interrupts, 2);
    assert_int_equal(work.counters.interrupts, 1);
    block_work_watched(&work, 1); /* none since it was last asked */
    assert_int_equal(work.counters.lost_interrupts, 3);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_asked_who_has_nothing),
        TEST(a_device_is_asked_every_second),
        TEST(the_second_begins_anew_after_a_rest),
        TEST(only_an_end_without_an_interrupt_is_a_lost_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
