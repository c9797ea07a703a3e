/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/common/format.h"
#include "tests/guests/hostile/hostile.h"

static void put(char c)
{
    for (unsigned i = 0; i < 1000000 && !(in8(COM1 + LINE_STATUS) & THR_EMPTY); i++)
        ;
    out8(COM1, (uint8_t)c);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *s = "hostile: "; *s; s++)
        put(*s);
    format_text(put, format, args);
    va_end(args);
    put('\r');
    put('\n');
}
