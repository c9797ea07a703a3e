// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of leat.conf share: a text is parsed, and its mistake expected. */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/config/config.h"

#define HASH "0ae4de15cdffcbc4c509d232ed5676468873b0194090becc587669deb5cb5939"

extern struct leat_config config;      /* what parse() has read last, and ... */
extern struct leat_config_error error; /* ... what was wrong with it */

/* 0, or -1 with the mistake in `error`. */
int parse(const char *text);
/* The text is refused, with this message, for this line (0: for no one line). */
void expect_error(const char *text, unsigned line, const char *message);

#endif
