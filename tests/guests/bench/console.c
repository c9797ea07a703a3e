/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/bench/bench.h"

#include <stdarg.h>

#define COM1 0x3f8
#define LINE_STATUS 5
#define THR_EMPTY 0x20

static void put(char c)
{
    while (!(in8(COM1 + LINE_STATUS) & THR_EMPTY))
        ;
    out8(COM1, (uint8_t)c);
}

static void text(const char *s)
{
    while (*s)
        put(*s++);
}

static void number(uint64_t value, unsigned base)
{
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    while (n)
        put(digits[--n]);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%')
            put(*format);
        else if (*++format == 's')
            text(va_arg(args, const char *));
        else
            number(va_arg(args, uint64_t), *format == 'x' ? 16 : 10);
    }
    text("\r\n");
    va_end(args);
}
