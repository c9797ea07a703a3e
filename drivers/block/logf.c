// SPDX-License-Identifier: BSD-2-Clause
#include "drivers/block/logf.h"

#include <stdarg.h>

struct line {
    char text[201];
    size_t length;
};

static void put(struct line *line, char c)
{
    if (line->length + 1 < sizeof(line->text))
        line->text[line->length++] = c;
}

static void put_text(struct line *line, const char *text)
{
    while (*text)
        put(line, *text++);
}

static void put_number(struct line *line, uint64_t value, unsigned base)
{
    char digits[20];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(line, digits[--count]);
}

/* One argument, by the letters behind the '%'; returns where the format goes on. */
static const char *put_argument(struct line *line, const char *format, va_list *args)
{
    if (*format == 's')
        put_text(line, va_arg(*args, const char *));
    else if (*format == 'u' || *format == 'x')
        put_number(line, va_arg(*args, unsigned), *format == 'u' ? 10 : 16);
    else
        put_number(line, va_arg(*args, unsigned long long), 10);
    return format + (*format == 'l' ? 3 : 1);
}

void block_logf(const struct block_platform *platform, const char *driver, const char *format, ...)
{
    struct line line = {.length = 0};
    va_list args;

    put_text(&line, driver);
    put_text(&line, ": ");
    va_start(args, format);
    while (*format) {
        if (*format == '%')
            format = put_argument(&line, format + 1, &args);
        else
            put(&line, *format++);
    }
    va_end(args);
    line.text[line.length] = 0;
    platform->log(platform->context, line.text);
}
