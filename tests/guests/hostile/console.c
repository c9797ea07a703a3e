/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/hostile/hostile.h"

#include <stdarg.h>

#define COM1 0x3f8
#define LINE_STATUS 5
#define THR_EMPTY 0x20

static void put(char c)
{
    for (unsigned i = 0; i < 1000000 && !(in8(COM1 + LINE_STATUS) & THR_EMPTY); i++)
        ;
    out8(COM1, (uint8_t)c);
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
    for (const char *s = "hostile: "; *s; s++)
        put(*s);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
        } else if (*++format == 's') {
            for (const char *s = va_arg(args, const char *); *s; s++)
                put(*s);
        } else {
            number(va_arg(args, uint64_t), *format == 'x' ? 16 : 10);
        }
    }
    put('\r');
    put('\n');
    va_end(args);
}
