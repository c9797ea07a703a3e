// SPDX-License-Identifier: BSD-2-Clause
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <leat/console.h>
#include "lib/channel.h"
#include "lib/mutex.h"
#include "lib/start.h"
#include "lib/sys.h"

static struct {
    struct leat_mutex mutex;
    struct leat_channel_end channel;
    bool has_channel;
    uint64_t dropped;
} log_state;

void leat_log_init(void)
{
    const struct leat_start_entry *entry = leat_start_find("log", NULL);

    leat_mutex_init(&log_state.mutex);
    if (entry == NULL || entry->size < sizeof(struct leat_console_channel)) {
        return;
    }
    leat_channel_join(&log_state.channel, entry, offsetof(struct leat_console_channel, input),
                      LEAT_CONSOLE_RING_BYTES, 1, offsetof(struct leat_console_channel, output),
                      LEAT_CONSOLE_RING_BYTES, 1);
    log_state.has_channel = true;
}

/* One write for a whole line, so that a reader never finds half of one. */
static bool channel_put(const char *line, uint32_t length)
{
    if (leat_ring_writable(&log_state.channel.out) < length) {
        return false;
    }
    leat_ring_write(&log_state.channel.out, line, length);
    leat_channel_flush(&log_state.channel);
    return true;
}

static void put_to_channel(const char *line, uint32_t length)
{
    if (log_state.dropped != 0) {
        char lost[64];
        int n = snprintf(lost, sizeof(lost), "(%llu lines lost here)\n",
                         (unsigned long long)log_state.dropped);

        if (!channel_put(lost, (uint32_t)n)) {
            log_state.dropped++;
            return;
        }
        log_state.dropped = 0;
    }
    if (!channel_put(line, length)) {
        log_state.dropped++;
    }
}

static void put_line(const char *format, va_list arguments)
{
    char line[LEAT_LOG_LINE + 2];
    int length = vsnprintf(line, LEAT_LOG_LINE + 1, format, arguments);

    if (length < 0) {
        return;
    }
    if (length > LEAT_LOG_LINE) {
        length = LEAT_LOG_LINE;
    }
    for (int i = 0; i < length; i++) {
        if (line[i] == '\n') {
            line[i] = ' ';
        }
    }
    while (length > 0 && line[length - 1] == ' ') {
        length--;
    }
    line[length++] = '\n';
    if (log_state.has_channel) {
        put_to_channel(line, (uint32_t)length);
    } else {
        leat_log_write(line, (size_t)length); /* the kernel adds time and name */
    }
}

static void log_line(const char *format, va_list arguments)
{
    leat_mutex_lock(&log_state.mutex);
    put_line(format, arguments);
    leat_mutex_unlock(&log_state.mutex);
}

void leat_log(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
}

void leat_fatal(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
    for (;;) {
        leat_domain_kill(LEAT_SELF, 1);
    }
}

_Noreturn void leat_assert_failed(const char *what, const char *file, int line);

void leat_assert_failed(const char *what, const char *file, int line)
{
    /* The lock may be held by the caller: the kernel's log needs none. */
    char text[LEAT_LOG_LINE];
    int length = snprintf(text, sizeof(text), "assertion failed: %s at %s:%d\n", what, file, line);

    leat_log_write(text, length < (int)sizeof(text) ? (size_t)length : sizeof(text) - 1);
    for (;;) {
        leat_domain_kill(LEAT_SELF, 2);
    }
}
