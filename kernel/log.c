// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/log.h"
#include "kernel/arch.h"
#include "kernel/assert.h"
#include "kernel/info.h"
#include "kernel/timer.h"

/* The machine's one log. */
static char log_bytes[1u << 16];
static struct log_ring ring = {log_bytes, sizeof(log_bytes), 0};
static bool taken_over;

static void emit(const char *text, size_t bytes)
{
    log_ring_write(&ring, text, bytes);
    kernel_info.log_head = ring.head;
    kernel_info.log_size = ring.size;
    if (!taken_over)
        arch_early_console(text, bytes);
}

static size_t time_stamp(char *line, size_t size, const char *who)
{
    uint64_t us = clock_ns() / 1000;
    return format(line, size, "[%5lu.%06lu] %s: ", us / 1000000, us % 1000000, who);
}

static void log_args(const char *fmt, va_list args)
{
    char line[LOG_LINE_BYTES];
    size_t used = time_stamp(line, sizeof(line), "kernel");
    used += format_args(line + used, sizeof(line) - used - 1, fmt, args);
    line[used++] = '\n';
    emit(line, used);
}

void klog(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_args(fmt, args);
    va_end(args);
}

void log_text(const char *who, const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        char line[LOG_LINE_BYTES];
        size_t used = time_stamp(line, sizeof(line), who);
        for (; at < bytes && text[at] != '\n' && used < sizeof(line) - 1; at++) {
            unsigned char c = (unsigned char)text[at];
            line[used++] = c < ' ' || c == 0x7f ? '?' : (char)c;
        }
        if (at < bytes && text[at] == '\n')
            at++;
        line[used++] = '\n';
        emit(line, used);
    }
}

_Noreturn void panic(const char *fmt, ...)
{
    static bool again;
    va_list args;
    va_start(args, fmt);
    if (!again) {
        again = true;
        log_take_back();
        log_args(fmt, args);
    }
    va_end(args);
    arch_halt();
}

_Noreturn void assert_failed(const char *what, const char *file, int line)
{
    panic("assertion failed: %s, %s:%d", what, file, line);
}

void log_take_over(void)
{
    taken_over = true;
}
void log_take_back(void)
{
    if (taken_over)
        arch_early_console("\n", 1);
    taken_over = false;
}

size_t log_read(char *to, size_t size, uint64_t *position)
{
    return log_ring_read(&ring, to, size, position);
}
