// SPDX-License-Identifier: BSD-2-Clause
/* Notices of the server, broken into lines of the screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "services/supervisor/wrap.h"

#define MOST 4u

/* The lines, with '|' between them. */
static void expect(const char *text, unsigned columns, const char *wanted)
{
    const char *lines[MOST];
    char *copy = strdup(text);
    char got[200] = "";
    unsigned count = wrap_text(copy, columns, lines, MOST);

    for (unsigned i = 0; i < count; i++) {
        strcat(strcat(got, i == 0 ? "" : "|"), lines[i]);
    }
    assert_string_equal(got, wanted);
    free(copy);
}

static void test_lines(void **state)
{
    (void)state;
    expect("", 10, "");
    expect("one two", 10, "one two");
    expect("one two three", 10, "one two|three");
    expect("one two three", 7, "one two|three");
    expect("one two three", 6, "one|two|three");
    expect("one\ntwo three", 20, "one|two three");
    expect("one\n\ntwo", 20, "one||two");
    expect("wordwithoutend a", 5, "wordwithoutend|a");
    expect("\xc3\xa4\xc3\xa4\xc3\xa4 \xc3\xa4", 5, "\xc3\xa4\xc3\xa4\xc3\xa4 \xc3\xa4");
    expect("\xc3\xa4\xc3\xa4\xc3\xa4 \xc3\xa4", 4, "\xc3\xa4\xc3\xa4\xc3\xa4|\xc3\xa4");
    expect("a b c d e f", 1, "a|b|c|d e f");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
