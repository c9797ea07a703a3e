// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/store_start.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 16u
#define LOOK_BYTES (1u << 20)    /* at either end of the partition */
#define SLACK_BYTES (512u << 10) /* the allocator's, and the look's buffer */
#define USE_STEP (1u << 20)

__attribute__((format(printf, 2, 3))) static void say(const struct store_start *s,
                                                      const char *format, ...)
{
    char line[240];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    s->platform->log(s->platform->ctx, line);
}

uint64_t store_start_use(uint64_t range_bytes, uint64_t memory_bytes)
{
    uint64_t low = 0, high = range_bytes / USE_STEP + 1;
    if (store_ram_bytes(range_bytes, PIECES) <= memory_bytes)
        return range_bytes;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (store_ram_bytes(middle * USE_STEP, PIECES) <= memory_bytes)
            low = middle;
        else
            high = middle;
    }
    return low * USE_STEP;
}

static void end(struct store_start *s, enum store_start_state state)
{
    if (state == STORE_START_NOTHING && s->store) {
        store_destroy(s->store); /* it has given its answer, so nothing of it is under way */
        s->store = NULL;
    }
    free(s->buffer);
    s->buffer = NULL;
    s->state = state;
}

static void answered(void *owner, enum store_status status)
{
    struct store_start *s = owner;
    s->has_answer = true;
    s->answer = status;
}

/* A new struct store: what a failed opening has left in one is of no use. */
static bool create(struct store_start *s)
{
    if (s->store)
        store_destroy(s->store);
    s->store = store_create(s->platform, &s->options);
    s->has_answer = false;
    s->state = STORE_START_OPENS;
    if (s->store)
        return true;
    say(s, "the local disk is not used: no memory for a store");
    end(s, STORE_START_NOTHING);
    return false;
}

static void format(struct store_start *s)
{
    if (!create(s))
        return;
    say(s, "the local disk gets a new store of %llu MiB",
        (unsigned long long)s->options.use_bytes >> 20);
    s->is_formatting = true;
    store_format(s->store, answered, s);
}

static void take_disk(struct store_start *s)
{
    uint64_t bytes;
    uint32_t sector_bytes;
    enum store_disk_state state = store_disk_look(s->disk, &bytes, &sector_bytes);
    if (state == STORE_DISK_WAITS)
        return;
    if (state == STORE_DISK_FAILED) {
        say(s, "the local disk is not used: it does not answer");
        end(s, STORE_START_NOTHING);
        return;
    }
    uint64_t memory = s->memory_bytes > SLACK_BYTES ? s->memory_bytes - SLACK_BYTES : 0;
    s->options = (struct store_options){.range_bytes = bytes, .sector_bytes = sector_bytes};
    s->options.use_bytes = store_start_use(bytes, memory);
    s->options.pieces = PIECES;
    if (create(s))
        store_open(s->store, answered, s);
}

static void opened(struct store_start *s)
{
    struct store_info info;
    store_get_info(s->store, &info);
    uint64_t bytes = info.blocks * STORE_BLOCK_BYTES, range = s->options.range_bytes;
    uint64_t ram = store_ram_bytes(bytes, PIECES);
    say(s, "the store on the local disk holds %llu of %llu MiB, and takes %llu MiB of memory",
        (unsigned long long)(info.image_blocks + info.other_blocks) * STORE_BLOCK_BYTES >> 20,
        (unsigned long long)bytes >> 20, (unsigned long long)ram >> 20);
    if (s->is_formatting && s->options.use_bytes < range)
        say(s,
            "the store uses %llu MiB of the partition's %llu: for more it needs %llu MiB of "
            "memory, [store] memory in leat.conf",
            (unsigned long long)s->options.use_bytes >> 20, (unsigned long long)range >> 20,
            (unsigned long long)(store_ram_bytes(range, PIECES) >> 20) + 1);
    else if (ram > s->memory_bytes)
        say(s, "the store takes more memory than was set aside for it: overlays have less than "
               "leat.conf says");
    end(s, STORE_START_OPEN);
}

/* -- is there anything in the partition? -- */

static void read_done(struct store_io *io, bool is_ok)
{
    struct store_start *s = io->owner;
    s->is_reading = false;
    s->is_read_ok = is_ok;
}

/* Where the next piece of the look is; false: both ends have been looked at. */
static bool next_piece(struct store_start *s, uint64_t *length)
{
    uint64_t pages = s->options.range_bytes & ~(uint64_t)(STORE_BLOCK_BYTES - 1);
    if (s->look_at >= LOOK_BYTES && pages > LOOK_BYTES && s->look_at < pages - LOOK_BYTES)
        s->look_at = pages - LOOK_BYTES;
    *length = pages - s->look_at < STORE_DISK_IO_BYTES ? pages - s->look_at : STORE_DISK_IO_BYTES;
    return *length > 0;
}

static void read_piece(struct store_start *s, uint64_t length)
{
    s->is_reading = true;
    s->io = (struct store_io){.type = STORE_IO_READ, .done = read_done, .owner = s};
    s->io.offset = s->look_at;
    s->io.length = (uint32_t)length;
    s->io.data = s->buffer;
    s->platform->submit(s->platform->ctx, &s->io);
}

static bool is_zero(const uint8_t *data, uint64_t length)
{
    return data[0] == 0 && !memcmp(data, data + 1, length - 1);
}

static void look(struct store_start *s)
{
    uint64_t length = s->io.length;
    if (s->is_reading)
        return;
    if (!s->is_read_ok || (length && !is_zero(s->buffer, length))) {
        say(s, s->is_read_ok
                   ? "the local disk is not used: Leat's partition holds something that is no "
                     "store; [store] format = yes in leat.conf overwrites it"
                   : "the local disk is not used: it cannot be read");
        end(s, STORE_START_NOTHING);
        return;
    }
    s->look_at += length;
    if (next_piece(s, &length))
        read_piece(s, length);
    else
        format(s);
}

static void begin_look(struct store_start *s)
{
    s->buffer = calloc(1, STORE_DISK_IO_BYTES);
    s->is_read_ok = s->buffer != NULL;
    s->state = STORE_START_CHECKS;
    look(s);
}

/* -- what to make of store_open's answer -- */

static void refused(struct store_start *s)
{
    bool is_blank = s->answer == STORE_BLANK;
    bool may_format = is_blank || s->answer == STORE_FOREIGN || s->answer == STORE_DAMAGED;
    if (may_format && !s->is_formatting && s->rule == STORE_RULE_YES) {
        format(s);
        return;
    }
    if (is_blank && !s->is_formatting && s->rule == STORE_RULE_EMPTY) {
        begin_look(s);
        return;
    }
    say(s, "the local disk is not used: %s%s",
        s->answer == STORE_INVALID ? "Leat's partition is too small for a store"
                                   : store_status_text(s->answer),
        may_format && !s->is_formatting ? "; [store] format in leat.conf allows to make a new one"
                                        : "");
    end(s, STORE_START_NOTHING);
}

static void take_answer(struct store_start *s)
{
    store_run(s->store);
    if (!s->has_answer)
        return;
    if (s->answer == STORE_OK)
        opened(s);
    else
        refused(s);
}

void store_start_begin(struct store_start *s, struct store_disk *disk,
                       const struct store_platform *platform, uint64_t memory_bytes,
                       enum store_rule rule)
{
    memset(s, 0, sizeof *s);
    s->disk = disk;
    s->platform = platform;
    s->memory_bytes = memory_bytes;
    s->rule = rule;
}

bool store_start_run(struct store_start *s)
{
    enum store_start_state before;
    do {
        before = s->state;
        if (s->state == STORE_START_DISK)
            take_disk(s);
        if (s->state == STORE_START_CHECKS)
            look(s);
        if (s->state == STORE_START_OPENS)
            take_answer(s);
    } while (s->state != before);
    return s->state == STORE_START_OPEN || s->state == STORE_START_NOTHING;
}
