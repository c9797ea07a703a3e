// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/relay/lane.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define CHUNK_NS 250000u /* a chunk is delivered whole: it must not be long in time */
#define CHUNK_MOST 65536u
#define LATE_MOST_NS 20000000u
#define QUEUED_MOST (64u << 20)
#define SECOND_NS 1000000000ull

void lane_init(struct lane *lane, struct lane_link *link, int from, int to)
{
    *lane = (struct lane){.link = link, .from = from, .to = to};
    lane->tail = &lane->head;
}

void lane_free(struct lane *lane)
{
    while (lane->head) {
        struct lane_chunk *c = lane->head;
        lane->head = c->next;
        free(c);
    }
    lane->tail = &lane->head;
}

static size_t chunk_bytes(const struct lane_link *link)
{
    uint64_t bytes = link->rate ? link->rate / 8 * CHUNK_NS / SECOND_NS : CHUNK_MOST;
    bytes = bytes < LANE_SEGMENT_BYTES ? LANE_SEGMENT_BYTES : bytes;
    return bytes > CHUNK_MOST ? CHUNK_MOST : bytes;
}

bool lane_may_read(const struct lane *lane, uint64_t now_ns, uint64_t *when)
{
    *when = UINT64_MAX;
    if (lane->is_ended || lane->queued >= QUEUED_MOST)
        return false;
    if (lane->link->rate && lane->link->free_ns > now_ns + lane->link->queue_ns) {
        *when = lane->link->free_ns - lane->link->queue_ns;
        return false;
    }
    return true;
}

static bool is_lost(struct lane_link *link)
{
    link->rng ^= link->rng << 13; /* xorshift64 */
    link->rng ^= link->rng >> 7;
    link->rng ^= link->rng << 17;
    return link->rng % 1000000 < link->loss_ppm;
}

/* Since when the bytes that are read now have been there. */
static uint64_t since(const struct lane *lane, uint64_t now_ns)
{
    if (!lane->full_ns || now_ns < LATE_MOST_NS)
        return now_ns;
    return lane->full_ns > now_ns - LATE_MOST_NS ? lane->full_ns : now_ns - LATE_MOST_NS;
}

/* When these bytes, read now, arrive. */
static uint64_t book(struct lane *lane, size_t size, uint64_t now_ns)
{
    struct lane_link *link = lane->link;
    uint64_t there_ns = since(lane, now_ns);
    uint64_t start = link->free_ns > there_ns ? link->free_ns : there_ns;
    link->free_ns = start + (link->rate ? size * 8 * SECOND_NS / link->rate : 0);
    link->bytes += size;
    uint64_t due = link->free_ns + link->delay_ns;
    for (size_t at = 0; link->loss_ppm && at < size; at += LANE_SEGMENT_BYTES)
        if (is_lost(link)) {
            link->losses++;
            due += link->repair_ns;
        }
    if (due < lane->last_due_ns)
        due = lane->last_due_ns;
    lane->last_due_ns = due;
    return due;
}

bool lane_read(struct lane *lane, uint64_t now_ns)
{
    size_t most = chunk_bytes(lane->link);
    struct lane_chunk *c = malloc(sizeof *c + most);
    if (!c)
        return false;
    ssize_t n = recv(lane->from, c->data, most, 0);
    if (n <= 0) {
        bool is_broken = n < 0 && errno != EAGAIN && errno != EINTR;
        free(c);
        lane->is_ended = n == 0;
        lane->full_ns = 0;
        return !is_broken;
    }
    c->next = NULL;
    c->size = (size_t)n;
    c->done = 0;
    c->due_ns = book(lane, c->size, now_ns);
    lane->full_ns = c->size == most ? now_ns : 0;
    lane->queued += c->size;
    *lane->tail = c;
    lane->tail = &c->next;
    return true;
}

bool lane_write(struct lane *lane, uint64_t now_ns)
{
    lane->is_full = false;
    while (lane->head && lane->head->due_ns <= now_ns) {
        struct lane_chunk *c = lane->head;
        ssize_t n = send(lane->to, c->data + c->done, c->size - c->done, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (n > 0)
            c->done += (size_t)n;
        if (c->done < c->size) {
            lane->is_full = true;
            return true;
        }
        lane->queued -= c->size;
        lane->head = c->next;
        if (!lane->head)
            lane->tail = &lane->head;
        free(c);
    }
    if (lane->is_ended && !lane->head && !lane->is_shut) {
        lane->is_shut = true;
        shutdown(lane->to, SHUT_WR);
    }
    return true;
}

uint64_t lane_due(const struct lane *lane)
{
    if (lane->is_full)
        return UINT64_MAX;
    if (lane->head)
        return lane->head->due_ns;
    return lane->is_ended && !lane->is_shut ? 0 : UINT64_MAX;
}

bool lane_is_done(const struct lane *lane)
{
    return lane->is_shut;
}
