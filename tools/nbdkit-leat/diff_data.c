// SPDX-License-Identifier: BSD-2-Clause
/* The way of the data: which layer a block is read from, and how a block comes to its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nbdkit-leat/diff_inside.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t place(const struct difference *d, uint64_t offset)
{
    return d->header.data_at + offset;
}

int difference_state(struct difference *d, uint64_t count, uint64_t offset, enum diff_state *state,
                     uint64_t *end)
{
    uint64_t size = d->header.block_size, block = offset / size;
    uint64_t limit = (offset + count - 1) / size - block + 1;
    int64_t run = diff_map_run(&d->map, block, limit, state);
    *end = offset;
    if (run < 0)
        return (int)run;
    *end = least((block + (uint64_t)run) * size, offset + count);
    return 0;
}

int difference_read(struct difference *d, void *to, size_t count, uint64_t offset)
{
    for (char *at = to; count;) {
        enum diff_state state;
        uint64_t end;
        int error = difference_state(d, count, offset, &state, &end);
        if (error)
            return error;
        size_t n = (size_t)(end - offset);
        if (state == DIFF_ZERO)
            memset(at, 0, n);
        else if (state == DIFF_DATA)
            error = d->device.read(d->device.context, at, n, place(d, offset));
        else
            error = d->below.read(d->below.context, at, n, offset);
        if (error)
            return error;
        at += n;
        offset = end;
        count -= n;
    }
    return 0;
}

static int write_data(struct difference *d, const void *from, size_t count, uint64_t offset)
{
    return d->device.write(d->device.context, from, count, place(d, offset));
}

/* A part of one block. One that has no data yet is written as a whole, so that its place holds all of it
   before the map says so. from NULL: zeros. Called with the block's range taken. */
static int write_part(struct difference *d, const void *from, size_t count, uint64_t offset)
{
    uint64_t size = d->header.block_size, start = offset / size * size;
    size_t whole = (size_t)least(size, d->header.image_size - start);
    char *block = malloc(whole);
    if (!block)
        return -ENOMEM;
    enum diff_state state;
    uint64_t end;
    int error = difference_state(d, whole, start, &state, &end);
    if (!error && state == DIFF_DATA && from)
        error = write_data(d, from, count, offset);
    else if (!error) {
        error = difference_read(d, block, whole, start);
        if (from)
            memcpy(block + (offset - start), from, count);
        else
            memset(block + (offset - start), 0, count);
        if (!error)
            error = write_data(d, block, whole, start);
        if (!error && state != DIFF_DATA)
            error = diff_map_set(&d->map, start / size, 1, DIFF_DATA);
    }
    free(block);
    return error;
}

/* How much of a request is in front of its first whole block, and how much from there on is whole blocks. The
   image's last block is whole when the request reaches the image's end. */
static void split(const struct difference *d, uint64_t count, uint64_t offset, uint64_t *head,
                  uint64_t *middle)
{
    uint64_t size = d->header.block_size, end = offset + count;
    uint64_t first = (offset + size - 1) / size * size;
    uint64_t last = end == d->header.image_size ? end : end / size * size;
    if (first >= last) {
        *middle = 0;
        *head = offset / size == (end - 1) / size ? count : first - offset;
    } else {
        *head = first - offset;
        *middle = last - first;
    }
}

static int may_write(struct difference *d)
{
    if (atomic_load(&d->is_spoilt))
        return -EIO;
    if (diff_map_dirty(&d->map) > DIFF_DIRTY_PAGES)
        return difference_flush(d);
    return 0;
}

static void take(struct difference *d, struct range *range, uint64_t count, uint64_t offset)
{
    uint64_t size = d->header.block_size;
    ranges_take(&d->writing, range, offset / size, (offset + count - 1) / size);
}

/* Whether what is not data yet of a range may be made so. */
static int within_limit(struct difference *d, uint64_t count, uint64_t offset)
{
    uint64_t more = 0;
    while (d->limit && count) {
        enum diff_state state;
        uint64_t end;
        int error = difference_state(d, count, offset, &state, &end);
        if (error)
            return error;
        more += state == DIFF_DATA ? 0 : end - offset;
        count -= end - offset;
        offset = end;
    }
    if (!more)
        return 0;
    int64_t used = d->device.used(d->device.context);
    if (used < 0)
        return (int)used;
    return (uint64_t)used + more > d->limit ? -ENOSPC : 0;
}

static int write_middle(struct difference *d, const void *from, size_t count, uint64_t offset)
{
    uint64_t size = d->header.block_size;
    int error = write_data(d, from, count, offset);
    return error ? error
                 : diff_map_set(&d->map, offset / size, diff_blocks(count, (uint32_t)size),
                                DIFF_DATA);
}

int difference_write(struct difference *d, const void *from, size_t count, uint64_t offset)
{
    uint64_t head, middle;
    struct range range;
    const char *at = from;
    int error = may_write(d);
    if (error || !count)
        return error;
    take(d, &range, count, offset);
    split(d, count, offset, &head, &middle);
    error = within_limit(d, count, offset);
    if (!error && head)
        error = write_part(d, at, head, offset);
    if (!error && middle)
        error = write_middle(d, at + head, middle, offset + head);
    if (!error && head + middle < count)
        error = write_part(d, at + head + middle, count - head - middle, offset + head + middle);
    ranges_leave(&d->writing, &range);
    return error;
}

/* The map first: whoever reads a hole that was punched must not take it for data that were there. */
static int zero_middle(struct difference *d, uint64_t count, uint64_t offset)
{
    uint64_t size = d->header.block_size;
    int error = diff_map_set(&d->map, offset / size, diff_blocks(count, (uint32_t)size), DIFF_ZERO);
    return error ? error : d->device.punch(d->device.context, count, place(d, offset));
}

/* Less than a block, unless it reads as zeros already. */
static int zero_part(struct difference *d, uint64_t count, uint64_t offset)
{
    enum diff_state state;
    uint64_t end;
    int error = difference_state(d, count, offset, &state, &end);
    return error || state == DIFF_ZERO ? error : write_part(d, NULL, count, offset);
}

static int zero(struct difference *d, uint64_t count, uint64_t offset, bool with_parts)
{
    uint64_t head, middle;
    struct range range;
    int error = may_write(d);
    if (error || !count)
        return error;
    take(d, &range, count, offset);
    split(d, count, offset, &head, &middle);
    if (!error && head && with_parts)
        error = zero_part(d, head, offset);
    if (!error && middle)
        error = zero_middle(d, middle, offset + head);
    if (!error && head + middle < count && with_parts)
        error = zero_part(d, count - head - middle, offset + head + middle);
    ranges_leave(&d->writing, &range);
    return error;
}

int difference_zero(struct difference *d, uint64_t count, uint64_t offset)
{
    return zero(d, count, offset, true);
}

int difference_trim(struct difference *d, uint64_t count, uint64_t offset)
{
    return zero(d, count, offset, false);
}
