// SPDX-License-Identifier: BSD-2-Clause
/* Shows that a burst is let through, then one for each step, and that waiting fills the bucket to
   the burst and no further. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/pace.h"

static unsigned take_all(struct pace *pace, uint64_t now_ns)
{
    unsigned taken = 0;

    while (pace_take(pace, now_ns)) {
        taken++;
    }
    return taken;
}

static void test_burst_and_steps(void **state)
{
    struct pace pace = {.step_ns = 1000, .burst = 8};
    uint64_t now = 5;

    (void)state;
    assert_int_equal(take_all(&pace, now), 8);
    assert_false(pace_may(&pace, now + 999));
    assert_int_equal(pace_next_ns(&pace), now + 1000);
    assert_int_equal(take_all(&pace, now + 1000), 1);
    assert_int_equal(take_all(&pace, now + 4000), 3);
    assert_int_equal(take_all(&pace, now + 1000000), 8);
}

static void test_many_at_once(void **state)
{
    struct pace pace = {.step_ns = 1000, .burst = 8};
    uint64_t now = 5;

    (void)state;
    assert_int_equal(pace_left(&pace, now), 8);
    pace_take_many(&pace, now, 5);
    assert_int_equal(pace_left(&pace, now), 3);
    assert_int_equal(pace_left(&pace, now + 999), 3);
    assert_int_equal(pace_left(&pace, now + 1000), 4);
    pace_take_many(&pace, now + 1000, 4);
    assert_int_equal(pace_left(&pace, now + 1000), 0);
    assert_false(pace_may(&pace, now + 1999));
    assert_int_equal(take_all(&pace, now + 2000), 1);
    assert_int_equal(pace_left(&pace, now + 1000000), 8);
}

static void test_over_time(void **state)
{
    struct pace pace = {.step_ns = 1000, .burst = 4};
    uint64_t now = 1ull << 60;
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++, now += 10) {
        taken += pace_take(&pace, now);
    }
    assert_int_equal(taken, 1000 + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_steps),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_over_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
