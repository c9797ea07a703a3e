// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/log.h"

struct out {
    char *to;
    size_t size, used; /* used < size */
};

static void put(struct out *out, char c)
{
    if (out->used + 1 < out->size)
        out->to[out->used++] = c;
}

static void put_padded(struct out *out, const char *text, size_t length, unsigned width, bool left)
{
    size_t pad = width > length ? width - length : 0;
    for (; !left && pad; pad--)
        put(out, ' ');
    for (size_t i = 0; i < length; i++)
        put(out, text[i]);
    for (; pad; pad--)
        put(out, ' ');
}

struct spec {
    unsigned width;
    bool zero, left, alternate;
    unsigned longs;
};

static void put_number(struct out *out, uint64_t value, bool negative, unsigned base,
                       const struct spec *spec)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    size_t width = spec->zero && spec->width < 20 ? spec->width : 0;
    size_t prefix = (negative ? 1u : 0u) + (spec->alternate ? 2u : 0u);
    while (sizeof(digits) - at + prefix < width && at > 3)
        digits[--at] = '0';
    if (spec->alternate) {
        digits[--at] = 'x';
        digits[--at] = '0';
    }
    if (negative)
        digits[--at] = '-';
    put_padded(out, digits + at, sizeof(digits) - at, spec->width, spec->left);
}

static const char *parse_spec(const char *fmt, struct spec *spec)
{
    for (;; fmt++) {
        if (*fmt == '0')
            spec->zero = true;
        else if (*fmt == '-')
            spec->left = true;
        else if (*fmt == '#')
            spec->alternate = true;
        else
            break;
    }
    for (; *fmt >= '0' && *fmt <= '9'; fmt++)
        spec->width = spec->width * 10 + (unsigned)(*fmt - '0');
    for (; *fmt == 'l' || *fmt == 'z'; fmt++)
        spec->longs++;
    return fmt;
}

size_t format_args(char *to, size_t size, const char *fmt, va_list args)
{
    struct out out = {to, size, 0};
    for (; *fmt; fmt++) {
        if (*fmt != '%') {
            put(&out, *fmt);
            continue;
        }
        struct spec spec = {0};
        fmt = parse_spec(fmt + 1, &spec);
        switch (*fmt) {
        case 'c':
            put(&out, (char)va_arg(args, int));
            break;
        case 's': {
            const char *s = va_arg(args, const char *);
            put_padded(&out, s, __builtin_strlen(s), spec.width, spec.left);
            break;
        }
        case 'd': {
            int64_t v = spec.longs ? va_arg(args, long) : va_arg(args, int);
            put_number(&out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0, 10, &spec);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t v = spec.longs ? va_arg(args, unsigned long) : va_arg(args, unsigned);
            put_number(&out, v, false, *fmt == 'x' ? 16 : 10, &spec);
            break;
        }
        case 'p':
            spec.alternate = true;
            put_number(&out, (uint64_t)va_arg(args, void *), false, 16, &spec);
            break;
        case '\0':
            fmt--;
            break;
        default:
            put(&out, *fmt);
        }
    }
    if (size)
        to[out.used] = '\0';
    return out.used;
}

size_t format(char *to, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    size_t length = format_args(to, size, fmt, args);
    va_end(args);
    return length;
}
