// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/config_fixture.h"

#include <stdlib.h>
#include <string.h>

struct leat_config config;
struct leat_config_error error;

int parse(const char *text)
{
    /* An exact heap copy without a NUL: the sanitizer sees every read behind the end. */
    size_t size = strlen(text);
    char *copy = malloc(size + 1);
    memcpy(copy + 1, text, size);
    int status = leat_config_parse(copy + 1, size, &config, &error);
    free(copy);
    return status;
}

void expect_error(const char *text, unsigned line, const char *message)
{
    assert_int_equal(parse(text), -1);
    assert_string_equal(error.text, message);
    assert_int_equal(error.line, line);
}
