// SPDX-License-Identifier: BSD-2-Clause
/* Sets of host CPUs in words, shares in tenths of a percent. */
#include "services/supervisor/cpu_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *set_text(uint64_t set)
{
    static char text[CPU_SET_TEXT];

    return cpu_set_text(set, text, sizeof(text));
}

static void sets_are_named_by_ranges(void **state)
{
    (void)state;
    assert_string_equal(set_text(0), "none");
    assert_string_equal(set_text(1), "0");
    assert_string_equal(set_text(0xd), "0,2-3");
    assert_string_equal(set_text(1ull << 63 | 6), "1-2,63");
    assert_string_equal(set_text(UINT64_MAX), "0-63");
    /* The longest there is. */
    assert_true(strlen(set_text(0x5555555555555555)) < CPU_SET_TEXT - 1);
    assert_non_null(strstr(set_text(0x5555555555555555), ",60,62"));
}

static void what_does_not_fit_is_cut_off(void **state)
{
    char text[6];

    (void)state;
    assert_string_equal(cpu_set_text(0x555, text, sizeof(text)), "0,2,4");
}

static void a_machine_has_its_first_cpus(void **state)
{
    (void)state;
    assert_true(cpu_set_first(0) == 0);
    assert_true(cpu_set_first(1) == 1);
    assert_true(cpu_set_first(63) == UINT64_MAX >> 1);
    assert_true(cpu_set_first(64) == UINT64_MAX);
    assert_true(cpu_set_first(100) == UINT64_MAX);
}

static void shares_are_rounded(void **state)
{
    (void)state;
    assert_int_equal(cpu_permille(0, 1000), 0);
    assert_int_equal(cpu_permille(2, 3), 667);
    assert_int_equal(cpu_permille(4000000000, 1000000000), 4000); /* four CPUs of a VM */
    assert_int_equal(cpu_permille(1, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_named_by_ranges),
        cmocka_unit_test(what_does_not_fit_is_cut_off),
        cmocka_unit_test(a_machine_has_its_first_cpus),
        cmocka_unit_test(shares_are_rounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
