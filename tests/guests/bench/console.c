/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/bench/bench.h"
#include "tests/guests/common/format.h"

static void put(char c)
{
    while (!(in8(COM1 + LINE_STATUS) & THR_EMPTY))
        ;
    out8(COM1, (uint8_t)c);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    format_text(put, format, args);
    va_end(args);
    put('\r');
    put('\n');
}
