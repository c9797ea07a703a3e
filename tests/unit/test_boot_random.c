// SPDX-License-Identifier: BSD-2-Clause
/* boot/random: what a broken source says is not taken, and the CPU's is never the same. */
#include "boot/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void broken_sources(void **state)
{
    static const uint64_t good[] = {1, 2, 1, 3}, same[] = {5, 6, 6, 7}, zero[] = {5, 0, 6, 7};
    static const uint64_t ones[] = {5, 6, 7, UINT64_MAX};
    (void)state;
    assert_true(random_is_plausible(good, 4));
    assert_false(random_is_plausible(same, 4));
    assert_false(random_is_plausible(zero, 4));
    assert_false(random_is_plausible(ones, 4));
    assert_false(random_is_plausible(good, 0));
}

static void cpu(void **state)
{
    uint8_t first[37] = {0}, second[37] = {0}, none[8] = {0};
    (void)state;
    if (!random_from_cpu(first, sizeof(first)))
        skip(); /* this CPU has none */
    assert_true(random_from_cpu(second, sizeof(second)));
    assert_memory_not_equal(first, second, 32);
    assert_memory_not_equal(first + 29, none, 8); /* filled to its end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broken_sources), cmocka_unit_test(cpu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
