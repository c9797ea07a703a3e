// SPDX-License-Identifier: BSD-2-Clause
/* Which partition the storage service takes: after a restart the one that it had, not its copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "services/storage/wanted.h"

#define ID "9357074e-1924-48a3-a9b4-982f9bda4031"

static const uint8_t id[GUID_BYTES] = GUID_LEAT_PARTITION;
static const uint8_t other[GUID_BYTES] = {1, 2, 3};

static void an_id_alone_is_wanted_anywhere(void **state)
{
    struct wanted w;
    (void)state;
    assert_true(wanted_parse(&w, ID));
    assert_int_equal(wanted_judge(&w, id, "00:1f.2", 0), WANTED_THIS);
    assert_int_equal(wanted_judge(&w, id, "02:00.0", 7), WANTED_THIS);
    assert_int_equal(wanted_judge(&w, other, "00:1f.2", 0), WANTED_OTHER_ID);
}

static void what_was_found_is_wanted_there(void **state)
{
    char text[WANTED_TEXT_BYTES];
    struct wanted w;
    (void)state;
    wanted_text(id, "00:1f.2", 1, text);
    assert_string_equal(text, ID "@00:1f.2/1");
    assert_true(wanted_parse(&w, text));
    assert_int_equal(wanted_judge(&w, id, "00:1f.2", 1), WANTED_THIS);
    assert_int_equal(wanted_judge(&w, id, "00:1f.2", 0), WANTED_OTHER_PLACE);
    assert_int_equal(wanted_judge(&w, id, "00:1f.2", 11), WANTED_OTHER_PLACE);
    assert_int_equal(wanted_judge(&w, id, "00:1f.1", 1), WANTED_OTHER_PLACE);
    assert_int_equal(wanted_judge(&w, other, "00:1f.2", 1), WANTED_OTHER_ID);
}

static void the_longest_place(void **state)
{
    char text[WANTED_TEXT_BYTES];
    struct wanted w;
    (void)state;
    wanted_text(id, "0123456789abcde", UINT32_MAX, text);
    assert_true(wanted_parse(&w, text));
    assert_int_equal(wanted_judge(&w, id, "0123456789abcde", UINT32_MAX), WANTED_THIS);
    assert_int_equal(wanted_judge(&w, id, "0123456789abcde", 42), WANTED_OTHER_PLACE);
}

static void no_partition(void **state)
{
    static const char *const bad[] = {"",
                                      "@",
                                      "@00:1f.2/1",
                                      ID "@",
                                      ID "0",
                                      ID "0@00:1f.2/1",
                                      "9357074e@00:1f.2/1",
                                      ID "@0123456789012345678901234567"};
    struct wanted w;
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(wanted_parse(&w, bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_alone_is_wanted_anywhere),
        cmocka_unit_test(what_was_found_is_wanted_there),
        cmocka_unit_test(the_longest_place),
        cmocka_unit_test(no_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
