// SPDX-License-Identifier: BSD-2-Clause
/* lib/splitmix.h: the numbers of the published algorithm, on which the seeds of the simulators stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/splitmix.h"

static void numbers_of_a_known_seed(void **state)
{
    (void)state;
    static const uint64_t expected[] = {6457827717110365317ull, 3203168211198807973ull,
                                        9817491932198370423ull, 4593380528125082431ull,
                                        16408922859458223821ull};
    uint64_t seed = 1234567;

    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(splitmix64(&seed) == expected[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_of_a_known_seed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
