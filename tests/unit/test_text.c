// SPDX-License-Identifier: BSD-2-Clause
/* Texts in memory of fixed size: lib/text.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/text.h"

static void parts_follow_each_other(void **state)
{
    char buffer[64];
    struct text text;
    (void)state;
    text_begin(&text, buffer, sizeof(buffer));
    assert_string_equal(buffer, "");
    text_put_number(text_put(text_put_bytes(&text, "abc", 2), "-"), UINT64_MAX);
    text_put_number(text_put(&text, " "), 0);
    assert_string_equal(buffer, "ab-18446744073709551615 0");
    assert_int_equal(text.used, 25);
    assert_false(text.is_cut);
}

static void what_does_not_fit_is_cut(void **state)
{
    char buffer[] = "........";
    struct text text;
    (void)state;
    text_begin(&text, buffer, 6);
    text_put(&text, "abc");
    text_put(&text, "de");
    assert_false(text.is_cut);
    text_put(&text, "");
    assert_false(text.is_cut);
    text_put(&text, "fg");
    assert_true(text.is_cut);
    assert_string_equal(buffer, "abcde");
    assert_int_equal(buffer[6], '.');
    text_back(&text, 2);
    assert_string_equal(buffer, "ab");
    text_put_number(&text, 1234);
    assert_true(text.is_cut);
    assert_string_equal(buffer, "ab123");
    text_put(&text, "x"); /* nothing follows a cut */
    assert_string_equal(buffer, "ab123");
}

static void strings_of_json(void **state)
{
    char buffer[64];
    struct text text;
    (void)state;
    text_begin(&text, buffer, sizeof(buffer));
    text_put_json(text_put_json(&text, ""), "a\"b\\c\n\x7f\x1f\xc3\xa4");
    assert_string_equal(buffer, "\"\"\"a\\u0022b\\u005cc\\u000a\\u007f\\u001f\xc3\xa4\"");
    text_begin(&text, buffer, 6);
    text_put_json(&text, "1234");
    assert_true(text.is_cut);
    assert_string_equal(buffer, "\"1234");
}

static void the_beginning_of_a_string(void **state)
{
    char buffer[16];
    struct text text;
    (void)state;
    text_begin(&text, buffer, sizeof(buffer));
    text_put_some(text_put_some(&text, "ab\xc3\xa4", 3), "abc", 3);
    assert_string_equal(buffer, "ab...abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_follow_each_other),
        cmocka_unit_test(what_does_not_fit_is_cut),
        cmocka_unit_test(strings_of_json),
        cmocka_unit_test(the_beginning_of_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
