// SPDX-License-Identifier: BSD-2-Clause
/* Content ids as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vdisk/content.h"

#define HASH "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100"

static void test_forms(void **state)
{
    (void)state;
    uint8_t id[CONTENT_BYTES], text[CONTENT_BYTES] = {CONTENT_TEXT, 'a', ' ', '~'};
    assert_true(content_parse(HASH, id));
    assert_int_equal(id[0], 0);
    assert_int_equal(id[1], 0x11);
    assert_int_equal(id[15], 0xff);
    assert_int_equal(id[16], 0xff);
    assert_int_equal(id[30], 0x11);
    assert_true(content_parse("a ~", id));
    assert_memory_equal(id, text, sizeof id);
    assert_true(content_parse("exactly 31 characters, no more.", id));
    assert_int_equal(id[31], '.');
}

static void test_refused(void **state)
{
    (void)state;
    uint8_t id[CONTENT_BYTES];
    char almost[] = HASH;
    almost[20] = 'g';
    assert_false(content_parse(almost, id));
    assert_false(content_parse("", id));
    assert_false(content_parse("exactly 32 characters, too many.", id));
    assert_false(content_parse("tab\t", id));
    assert_false(content_parse("caf\xc3\xa9", id));
    assert_false(content_parse(HASH "0", id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
