// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/logs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/console.h>
#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/start.h"
#include "lib/sys.h"
#include "services/console/line.h"
#include "services/console/view.h"

#define KERNEL_LOOK_NS 1000000000ull /* news that nobody signals */

struct log {
    struct log *next;
    struct source source;
    uint64_t cookie;
    struct leat_start_entry entry;
    struct leat_channel_end channel;
    struct line_splitter line;
};

static struct {
    struct leat_loop *loop;
    struct sources *sources;
    struct log *logs;
    struct source kernel;
    leat_handle_t machine;
    uint64_t kernel_position;
    uint64_t takeover_position; /* what lies before is on the serial line already */
    uint64_t line_position;     /* where the kernel's current line began */
    struct line_splitter kernel_line;
    struct leat_loop_timer kernel_timer;
} logs;

static void emit_line(void *context, const char *text, size_t length)
{
    const struct log *log = context;
    uint64_t us = leat_clock_ns() / 1000;
    char line[LINE_BYTES + 80];
    int prefix =
        snprintf(line, sizeof(line), "[%5llu.%06llu] %.31s: ", (unsigned long long)(us / 1000000),
                 (unsigned long long)(us % 1000000), log->entry.name);

    memcpy(line + prefix, text, length);
    view_leat_line(line, (size_t)prefix + length, true);
}

/* The kernel's lines carry time and name already. */
static void emit_kernel_line(void *context, const char *text, size_t length)
{
    (void)context;
    view_leat_line(text, length, logs.line_position >= logs.takeover_position);
}

static uint32_t take_kernel(void *context, uint32_t most)
{
    uint64_t head = leat_info()->log_head;
    uint64_t kept = leat_info()->log_size;
    char bytes[SOURCE_TURN];
    int64_t count;

    (void)context;
    if (head - logs.kernel_position > kept) {
        logs.kernel_position = head - kept;
    }
    count = leat_log_read(logs.machine, bytes, most < sizeof(bytes) ? most : sizeof(bytes),
                          logs.kernel_position);
    for (int64_t i = 0; i < count; i++) {
        line_feed(&logs.kernel_line, bytes + i, 1);
        logs.kernel_position++;
        if (bytes[i] == '\n') {
            logs.line_position = logs.kernel_position;
        }
    }
    return count > 0 ? (uint32_t)count : 0;
}

static bool is_kernel_empty(void *context)
{
    (void)context;
    return logs.kernel_position >= leat_info()->log_head;
}

static void look_at_kernel(void *context)
{
    (void)context; /* main.c looks at all before each sleep */
    leat_loop_timer_set(logs.loop, &logs.kernel_timer, leat_clock_ns() + KERNEL_LOOK_NS);
}

static uint32_t take(void *context, uint32_t most)
{
    struct log *log = context;
    char bytes[SOURCE_TURN];
    uint32_t count = leat_ring_read(&log->channel.in, bytes,
                                    most < sizeof(bytes) ? most : (uint32_t)sizeof(bytes));

    if (count != 0) {
        line_feed(&log->line, bytes, count);
        leat_channel_flush(&log->channel);
    }
    return count;
}

static bool is_empty(void *context)
{
    struct log *log = context;

    return leat_channel_may_sleep(&log->channel);
}

static bool is_shown(void *context)
{
    (void)context;
    return view_shows_lines();
}

static void woken(void *context)
{
    (void)context;
}

void logs_init(struct leat_loop *loop, struct sources *all)
{
    const struct leat_start_entry *machine = leat_start_find("machine", NULL);

    logs.loop = loop;
    logs.sources = all;
    line_init(&logs.kernel_line, emit_kernel_line, NULL);
    if (machine == NULL) {
        return;
    }
    logs.machine = machine->handle;
    leat_loop_timer(loop, &logs.kernel_timer, look_at_kernel, NULL);
    leat_loop_on(loop, machine->my_bits, woken, NULL);
    leat_log_takeover(logs.machine);
    logs.takeover_position = leat_info()->log_head;
    logs.kernel = (struct source){NULL, take_kernel, is_kernel_empty, is_shown, NULL, {0}};
    sources_add(all, &logs.kernel);
    while (!is_kernel_empty(NULL) && take_kernel(NULL, SOURCE_TURN) != 0) {
    }
    look_at_kernel(NULL);
}

void logs_attach(const struct leat_ctl *message)
{
    struct log *log = calloc(1, sizeof(*log));

    if (log == NULL || message->entry.size < sizeof(struct leat_console_channel)) {
        free(log);
        leat_channel_release(&message->entry);
        leat_ctl_send(LEAT_CTL_DETACHED, NULL, message->arg[0], 0);
        return;
    }
    log->entry = message->entry;
    log->cookie = message->arg[0];
    line_init(&log->line, emit_line, log);
    leat_channel_join(&log->channel, &log->entry, offsetof(struct leat_console_channel, output),
                      LEAT_CONSOLE_RING_BYTES, 1, offsetof(struct leat_console_channel, input),
                      LEAT_CONSOLE_RING_BYTES, 1);
    log->next = logs.logs;
    logs.logs = log;
    if ((logs.loop->mask & log->entry.my_bits) == 0) {
        leat_loop_on(logs.loop, log->entry.my_bits, woken, NULL);
    }
    log->source = (struct source){log, take, is_empty, is_shown, NULL, {0}};
    sources_add(logs.sources, &log->source);
}

bool logs_detach(uint64_t cookie)
{
    for (struct log **link = &logs.logs; *link != NULL; link = &(*link)->next) {
        struct log *log = *link;

        if (log->cookie != cookie) {
            continue;
        }
        while (take(log, SOURCE_TURN) != 0) {
        }
        sources_remove(logs.sources, &log->source);
        line_flush(&log->line);
        *link = log->next;
        leat_channel_release(&log->entry);
        free(log);
        return true;
    }
    return false;
}
