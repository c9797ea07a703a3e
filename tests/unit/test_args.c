// SPDX-License-Identifier: BSD-2-Clause
/* A process's arguments are "key=value" lines: a key must not match in the middle of another. */
#include "lib/start.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "mode=dhcp\ndisk.web/root.host=10.0.2.2\nroot.host=x\nempty=\nlast=a=b";

static const char *find(const char *key)
{
    static char value[64];

    return leat_arg_find(text, sizeof(text), key, value, sizeof(value));
}

static void values_are_found_by_whole_keys(void **state)
{
    (void)state;
    assert_string_equal(find("mode"), "dhcp");
    assert_string_equal(find("root.host"), "x");
    assert_string_equal(find("disk.web/root.host"), "10.0.2.2");
    assert_string_equal(find("empty"), "");
    assert_string_equal(find("last"), "a=b");
    assert_null(find("host"));
    assert_null(find("mod"));
    assert_null(find("model"));
}

static void long_values_are_cut_and_terminated(void **state)
{
    char value[4];

    (void)state;
    assert_string_equal(leat_arg_find(text, sizeof(text), "mode", value, sizeof(value)), "dhc");
    assert_null(leat_arg_find(text, sizeof(text), "mode", value, 0));
}

static void text_without_an_end_is_not_overrun(void **state)
{
    char raw[5] = {'a', '=', '1', '2', '3'};
    char value[8];

    (void)state;
    assert_string_equal(leat_arg_find(raw, sizeof(raw), "a", value, sizeof(value)), "123");
    assert_null(leat_arg_find(raw, sizeof(raw), "abcdef", value, sizeof(value)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_found_by_whole_keys),
        cmocka_unit_test(long_values_are_cut_and_terminated),
        cmocka_unit_test(text_without_an_end_is_not_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
