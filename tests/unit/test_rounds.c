// SPDX-License-Identifier: BSD-2-Clause
/* The vdisk service's empty rounds: who is only signalled soon waits; who works never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vdisk/service/rounds.h"

#define SECOND 1000000000ull
#define ROUND_NS 1000ull

static void signals_alone_are_bounded(void **state)
{
    struct rounds rounds;
    uint64_t now_ns = SECOND, end_ns = 2 * SECOND;
    unsigned count = 0;

    (void)state;
    rounds_init(&rounds);
    while (now_ns < end_ns) {
        uint64_t next_ns = rounds_next(&rounds, false, now_ns);
        count++;
        now_ns = next_ns > now_ns ? next_ns : now_ns + ROUND_NS;
    }
    assert_in_range(count, SECOND / ROUNDS_EMPTY_NS,
                    SECOND / ROUNDS_EMPTY_NS + ROUNDS_EMPTY_BURST + 1);
}

/* Each request wakes twice, the second time for nothing, as late signals do. */
static void work_never_waits(void **state)
{
    struct rounds rounds;

    (void)state;
    rounds_init(&rounds);
    for (uint64_t i = 0; i < 100000; i++)
        assert_int_equal(rounds_next(&rounds, i % 2 == 0, SECOND + i * ROUND_NS), 0);
}

/* What others have earned does not last for long. */
static void spare_rounds_end(void **state)
{
    struct rounds rounds;
    unsigned count = 0;

    (void)state;
    rounds_init(&rounds);
    for (unsigned i = 0; i < 10 * ROUNDS_SPARE; i++)
        rounds_next(&rounds, true, SECOND);
    while (!rounds_next(&rounds, false, SECOND))
        count++;
    assert_in_range(count, ROUNDS_SPARE, ROUNDS_SPARE + ROUNDS_EMPTY_BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_alone_are_bounded),
        cmocka_unit_test(work_never_waits),
        cmocka_unit_test(spare_rounds_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
