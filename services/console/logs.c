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

#define ROUND_BYTES 2048u
#define KERNEL_LOOK_NS 1000000000ull /* news that nobody signals */

struct log {
    struct log *next;
    uint64_t cookie;
    struct leat_start_entry entry;
    struct leat_channel_end channel;
    struct line_splitter line;
};

static struct {
    struct leat_loop *loop;
    struct log *logs;
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

static void serve_kernel(void *context)
{
    uint64_t head = leat_info()->log_head;
    char bytes[ROUND_BYTES];

    (void)context;
    leat_loop_timer_set(logs.loop, &logs.kernel_timer, leat_clock_ns() + KERNEL_LOOK_NS);
    while (logs.kernel_position < head && view_has_room()) {
        uint64_t kept = leat_info()->log_size;
        int64_t count;

        if (head - logs.kernel_position > kept) {
            logs.kernel_position = head - kept;
        }
        count = leat_log_read(logs.machine, bytes, sizeof(bytes), logs.kernel_position);
        if (count <= 0) {
            return;
        }
        for (int64_t i = 0; i < count; i++) {
            line_feed(&logs.kernel_line, bytes + i, 1);
            logs.kernel_position++;
            if (bytes[i] == '\n') {
                logs.line_position = logs.kernel_position;
            }
        }
    }
}

static uint32_t serve_log(struct log *log)
{
    char bytes[ROUND_BYTES];
    uint32_t count = leat_ring_read(&log->channel.in, bytes, sizeof(bytes));

    if (count != 0) {
        line_feed(&log->line, bytes, count);
        leat_channel_flush(&log->channel);
    }
    return count;
}

static void serve(void *context)
{
    (void)context;
    for (struct log *log = logs.logs; log != NULL && view_has_room(); log = log->next) {
        serve_log(log);
    }
}

static bool has_work(void *context)
{
    bool more = false;

    (void)context;
    for (struct log *log = logs.logs; log != NULL; log = log->next) {
        more |= !leat_channel_may_sleep(&log->channel);
    }
    if (more && view_has_room()) {
        serve(NULL);
        return true;
    }
    return false;
}

void logs_init(struct leat_loop *loop)
{
    const struct leat_start_entry *machine = leat_start_find("machine", NULL);

    logs.loop = loop;
    leat_loop_idle(loop, has_work, NULL);
    line_init(&logs.kernel_line, emit_kernel_line, NULL);
    if (machine == NULL) {
        return;
    }
    logs.machine = machine->handle;
    leat_loop_timer(loop, &logs.kernel_timer, serve_kernel, NULL);
    leat_loop_on(loop, machine->my_bits, serve_kernel, NULL);
    leat_log_takeover(logs.machine);
    logs.takeover_position = leat_info()->log_head;
    serve_kernel(NULL);
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
        leat_loop_on(logs.loop, log->entry.my_bits, serve, NULL);
    }
}

bool logs_detach(uint64_t cookie)
{
    for (struct log **link = &logs.logs; *link != NULL; link = &(*link)->next) {
        struct log *log = *link;

        if (log->cookie != cookie) {
            continue;
        }
        while (serve_log(log) != 0) {
        }
        line_flush(&log->line);
        *link = log->next;
        leat_channel_release(&log->entry);
        free(log);
        return true;
    }
    return false;
}
