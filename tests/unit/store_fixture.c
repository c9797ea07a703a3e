// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/store_fixture.h"

#include <stdlib.h>
#include <string.h>

#define OUTSIDE 4096u

static uint64_t now_ns(void *ctx)
{
    return ((struct store_fixture *)ctx)->now_ns;
}

static uint64_t random_bits(void *ctx)
{
    static uint64_t value = 1;
    (void)ctx;
    return value = value * 6364136223846793005ull + 1442695040888963407ull;
}

static void submit(void *ctx, struct store_io *io)
{
    struct store_fixture *f = ctx;
    list_push_back(&f->commands, &io->node);
}

static void log_line(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

static struct store_platform platform = {NULL, now_ns, random_bits, submit, log_line};

static bool run_command(struct store_fixture *f, struct store_io *io)
{
    switch (io->type) {
    case STORE_IO_READ:
        if (f->fail_reads) {
            f->fail_reads--;
            return false;
        }
        memcpy(io->data, f->disk + io->offset, io->length);
        return true;
    case STORE_IO_WRITE:
        if (f->fail_writes) {
            f->fail_writes--;
            return false;
        }
        memcpy(f->disk + io->offset, io->data, io->length);
        return true;
    default:
        if (!f->fail_flushes)
            return true;
        f->fail_flushes--;
        return false;
    }
}

void store_fixture_deliver(struct store_fixture *f)
{
    for (struct list *node; (node = list_pop(&f->commands));) {
        struct store_io *io = LIST_ENTRY(node, struct store_io, node);
        io->done(io, run_command(f, io));
    }
}

void store_fixture_settle(struct store_fixture *f)
{
    for (;;) {
        uint64_t when = store_run(f->store);
        struct list *node = list_pop(&f->commands);
        if (node) {
            struct store_io *io = LIST_ENTRY(node, struct store_io, node);
            io->done(io, run_command(f, io));
        } else if (when == UINT64_MAX) {
            return;
        } else if (when > f->now_ns) {
            f->now_ns = when;
        }
    }
}

static void opened(void *owner, enum store_status status)
{
    struct store_fixture *f = owner;
    f->opened = status;
    f->has_opened = true;
}

static enum store_status start(struct store_fixture *f, bool anew)
{
    platform.ctx = f;
    list_init(&f->commands);
    f->has_opened = false;
    f->store = store_create(&platform, &f->options);
    if (!f->store)
        abort();
    (anew ? store_format : store_open)(f->store, opened, f);
    store_fixture_settle(f);
    if (!f->has_opened)
        abort();
    return f->opened;
}

void store_fixture_new(struct store_fixture *f, uint64_t range_bytes)
{
    memset(f, 0, sizeof *f);
    f->options = (struct store_options){
        .range_offset = OUTSIDE, .range_bytes = range_bytes, .sector_bytes = 512};
    f->disk = calloc(1, range_bytes + 2 * OUTSIDE);
    if (start(f, true) != STORE_OK)
        abort();
}

void store_fixture_end(struct store_fixture *f)
{
    store_destroy(f->store);
    free(f->disk);
}

enum store_status store_fixture_reopen(struct store_fixture *f)
{
    store_destroy(f->store);
    return start(f, false);
}

static void done(struct store_op *op, enum store_status status)
{
    (void)status;
    *(bool *)op->owner = true;
}

enum store_status store_fixture_do(struct store_fixture *f, struct store_op op)
{
    bool is_done = false;
    op.done = done;
    op.owner = &is_done;
    store_submit(f->store, &op);
    store_fixture_settle(f);
    if (!is_done)
        abort();
    return op.status;
}

struct store_info store_fixture_info(const struct store_fixture *f)
{
    struct store_info info;
    store_get_info(f->store, &info);
    return info;
}
