// SPDX-License-Identifier: BSD-2-Clause
/* A hostile guest must not be able to forge Leat's lines, or another guest's, where all are shown.
 */
#include "services/console/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char shown[8192];
static size_t shown_length;
static unsigned line_count;

static void emit(void *context, const char *text, size_t length)
{
    (void)context;
    assert_true(length <= LINE_BYTES);
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];

        assert_true(byte >= 0x20 || byte == '\t');
        assert_int_not_equal(byte, 0x7f);
    }
    line_count++;
    if (shown_length + length + 1 < sizeof(shown)) {
        memcpy(shown + shown_length, text, length);
        shown_length += length;
        shown[shown_length++] = '|';
        shown[shown_length] = 0;
    }
}

static const char *run(const char *bytes, size_t count)
{
    static struct line_splitter line;

    shown_length = 0;
    shown[0] = 0;
    line_count = 0;
    line_init(&line, emit, NULL);
    line_feed(&line, bytes, count);
    line_flush(&line);
    assert_false(line_is_open(&line));
    return shown;
}
#define RUN(text) run(text, sizeof(text) - 1)

static void lines_are_split(void **state)
{
    (void)state;
    assert_string_equal(RUN("one\r\ntwo\n\nlogin: "), "one|two||login: |");
    assert_string_equal(RUN("a\tb\n"), "a\tb|");
    assert_string_equal(RUN(""), "");
}

static void a_return_cannot_cover_the_prefix(void **state)
{
    (void)state;
    assert_string_equal(RUN("web\r[    1.000000] kernel: all is well\n"),
                        "web|[    1.000000] kernel: all is well|");
    assert_string_equal(RUN("\r\rx\r\r\n"), "x|");
}

static void control_characters_are_made_visible(void **state)
{
    (void)state;
    assert_string_equal(RUN("a\bb\x7f"
                            "c\x0b\n"),
                        "a\\x08b\\x7fc\\x0b|");
    assert_string_equal(RUN("\x1b"
                            "c\x1b]0;title\x07\n"),
                        "\\x1bc\\x1b]0;title\\x07|");
    assert_string_equal(RUN("\x1b[2Khi\x1b[1;31mred\x1b[0m\x1b[10A\n"), "hired|");
    assert_string_equal(RUN("\x1b[\x1b[m\n"), "\\x1b|");
    assert_string_equal(RUN("\x1b[12\n"), "\\x1b|");
    assert_string_equal(RUN("\x1b\nx\n"), "\\x1b|x|");
}

static void only_good_utf8_passes(void **state)
{
    (void)state;
    assert_string_equal(RUN("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n"),
                        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80|");
    assert_string_equal(RUN("\x9b"
                            "2J\n"),
                        "\\x9b2J|"); /* C1 as a byte */
    assert_string_equal(RUN("\xc2\x9b"
                            "2J\n"),
                        "\\xc2\\x9b2J|");                  /* C1 as UTF-8 */
    assert_string_equal(RUN("\xc0\x8a\n"), "\\xc0\\x8a|"); /* overlong line feed */
    assert_string_equal(RUN("\xe0\x80\x8a\n"), "\\xe0\\x80\\x8a|");
    assert_string_equal(RUN("\xed\xa0\x80\n"), "\\xed\\xa0\\x80|"); /* surrogate */
    assert_string_equal(RUN("\xe2\x82\nx\n"), "\\xe2\\x82|x|");
    assert_string_equal(RUN("\xe2\x82"), "\\xe2\\x82|");
}

static void long_lines_are_split(void **state)
{
    static char text[3000];

    (void)state;
    memset(text, 'x', sizeof(text));
    run(text, sizeof(text));
    assert_int_equal(line_count, 6);
    memset(text, 1, sizeof(text)); /* each becomes four bytes */
    run(text, sizeof(text));
    assert_int_equal(line_count, 24);
}

static void random_bytes_stay_safe(void **state)
{
    static char text[4096];

    (void)state;
    srand(7);
    for (unsigned round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof(text); i++) {
            text[i] = (char)(rand() % 3 == 0 ? "\x1b[\r\n\xc2\x9b;m"[rand() % 8] : rand());
        }
        run(text, sizeof(text));
    }
}

static void plain_text_has_nothing_special(void **state)
{
    char text[] = "ok \x1b[2J\r\n\xc3\xa9\x7f";

    (void)state;
    line_make_plain(text);
    assert_string_equal(text, "ok ?[2J?????");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_split),
        cmocka_unit_test(a_return_cannot_cover_the_prefix),
        cmocka_unit_test(control_characters_are_made_visible),
        cmocka_unit_test(only_good_utf8_passes),
        cmocka_unit_test(long_lines_are_split),
        cmocka_unit_test(random_bytes_stay_safe),
        cmocka_unit_test(plain_text_has_nothing_special),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
