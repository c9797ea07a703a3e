// SPDX-License-Identifier: BSD-2-Clause
/*
 * Read-ahead without a profile.
 *
 * In sequence: the second read that starts where the one before ended opens a window, which doubles
 * as long as that goes on; the next piece is asked for when half of the window is used up.
 *
 * Around a miss: the rest of the region in which it lies, what follows it first. The region is about
 * what the link carries in a round trip, so that it costs the guest no more than the miss itself. It
 * is done as long as an eighth of it is used; else only once in a while, to see whether that has
 * changed.
 */
#include "vdisk/engine.h"

#define AHEAD_FIRST (64u << 10)
#define AHEAD_MOST (2u << 20)
#define AROUND_LEAST (128u << 10)
#define AROUND_MOST (1u << 20)
#define AROUND_CREDIT 1024u /* blocks on trust */
#define AROUND_HALVE 16384u /* then the past counts half */
#define AROUND_PROBE 32u

static void fetch_missing(struct vdisk_export *e, uint64_t first, uint64_t end,
                          enum cache_source source)
{
    for (uint64_t b = first; b < end; b++) {
        if (!fetch_is_missing(e, b))
            continue;
        uint64_t stop = layers_run_end(e, b, end); /* the rest is below: mode server */
        uint32_t count = stop > b ? fetch_ahead(e, b, stop, source) : 1;
        if (!count)
            return;
        if (source == CACHE_AROUND && stop > b)
            e->around.fetched += count;
        b += count - 1;
    }
}

static uint64_t blocks_of(const struct vdisk_export *e)
{
    return (e->identity.size_bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
}

static bool is_around_worth(struct around *a)
{
    if (a->fetched > AROUND_HALVE) {
        a->fetched /= 2;
        a->used /= 2;
    }
    if (a->fetched < AROUND_CREDIT + a->used * 8 || ++a->skipped == AROUND_PROBE) {
        a->skipped = 0;
        return true;
    }
    return false;
}

static void around(struct vdisk_export *e, uint64_t first, uint64_t last)
{
    uint64_t bytes = AROUND_LEAST, size = blocks_of(e);
    while (bytes < AROUND_MOST && bytes < meter_window(&e->meter))
        bytes *= 2;
    uint64_t unit = bytes / CACHE_BLOCK_BYTES;
    uint64_t start = first / unit * unit, end = (last / unit + 1) * unit;
    fetch_missing(e, last + 1, end < size ? end : size, CACHE_AROUND);
    fetch_missing(e, start, first, CACHE_AROUND);
}

static void in_sequence(struct vdisk_disk *d, uint64_t end)
{
    struct vdisk_export *e = d->export;
    uint64_t size = e->identity.size_bytes;
    if (d->ahead_end >= end + d->ahead_window / 2 && d->ahead_window)
        return;
    d->ahead_window = d->ahead_window ? d->ahead_window * 2 : AHEAD_FIRST;
    if (d->ahead_window > AHEAD_MOST)
        d->ahead_window = AHEAD_MOST;
    uint64_t from = d->ahead_end > end ? d->ahead_end : end;
    uint64_t to = end + d->ahead_window < size ? end + d->ahead_window : size;
    fetch_missing(e, from / CACHE_BLOCK_BYTES, (to + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES,
                  CACHE_AHEAD);
    d->ahead_end = to;
}

void ahead_after_read(struct vdisk_disk *d, uint64_t offset, uint64_t length, bool is_miss)
{
    struct vdisk_export *e = d->export;
    uint64_t end = offset + length;
    bool is_sequential = offset == d->ahead_next && offset != 0;
    /* A boot whose profile is known: the profile knows better. */
    bool is_known = e->stream.known.count && e->stream.recorder.is_on;
    d->ahead_next = end;
    if (!is_sequential) {
        d->ahead_window = 0;
        d->ahead_end = 0;
    }
    if (is_sequential && (is_miss || !is_known))
        in_sequence(d, end);
    else if (is_miss && !is_known && is_around_worth(&e->around))
        around(e, offset / CACHE_BLOCK_BYTES, (end - 1) / CACHE_BLOCK_BYTES);
}
