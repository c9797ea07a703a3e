/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/common/format.h"

#include <stdint.h>

static void number(void (*put)(char c), uint64_t value, unsigned base)
{
    char digits[20];
    unsigned n = 0;
    do
        digits[n++] = "0123456789abcdef"[value % base];
    while ((value /= base) != 0);
    while (n)
        put(digits[--n]);
}

static void one(void (*put)(char c), char kind, uint64_t value)
{
    if (kind == 'd' && value >> 63) {
        put('-');
        value = -value;
    }
    number(put, value, kind == 'x' ? 16 : 10);
}

void format_text(void (*put)(char c), const char *format, va_list args)
{
    for (; *format; format++) {
        if (*format != '%')
            put(*format);
        else if (*++format != 's')
            one(put, *format, va_arg(args, uint64_t));
        else
            for (const char *s = va_arg(args, const char *); *s; s++)
                put(*s);
    }
}
