// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/nbd/stream.h"

#include <string.h>

/* A piece of payload at least this long goes directly between the platform and its place. */
#define DIRECT_BYTES 2048u

void nbd_stream_init(struct nbd_stream *s, const struct vdisk_platform *platform, void *conn)
{
    s->platform = platform;
    s->conn = conn;
    s->moved = 0;
    s->in_start = s->in_end = s->out_start = s->out_end = 0;
}

static size_t receive(struct nbd_stream *s, void *to, size_t size)
{
    size_t n = s->platform->receive(s->platform->ctx, s->conn, to, size);
    s->moved += n;
    return n;
}

static size_t send(struct nbd_stream *s, const void *from, size_t size)
{
    size_t n = s->platform->send(s->platform->ctx, s->conn, from, size);
    s->moved += n;
    return n;
}

static void refill(struct nbd_stream *s)
{
    if (s->in_start) {
        memmove(s->in, s->in + s->in_start, s->in_end - s->in_start);
        s->in_end -= s->in_start;
        s->in_start = 0;
    }
    s->in_end += (uint32_t)receive(s, s->in + s->in_end, NBD_STREAM_BYTES - s->in_end);
}

const uint8_t *nbd_stream_peek(struct nbd_stream *s, uint32_t size)
{
    if (s->in_end - s->in_start < size)
        refill(s);
    return s->in_end - s->in_start < size ? NULL : s->in + s->in_start;
}

void nbd_stream_skip(struct nbd_stream *s, uint32_t size)
{
    s->in_start += size;
}

size_t nbd_stream_take(struct nbd_stream *s, uint8_t *to, size_t size)
{
    size_t done = s->in_end - s->in_start;
    if (done > size)
        done = size;
    memcpy(to, s->in + s->in_start, done);
    s->in_start += (uint32_t)done;
    if (done == size)
        return done;
    if (size - done >= DIRECT_BYTES)
        return done + receive(s, to + done, size - done);
    refill(s);
    size_t rest = s->in_end - s->in_start;
    if (rest > size - done)
        rest = size - done;
    memcpy(to + done, s->in + s->in_start, rest);
    s->in_start += (uint32_t)rest;
    return done + rest;
}

size_t nbd_stream_drop(struct nbd_stream *s, size_t size)
{
    if (s->in_start == s->in_end)
        refill(s);
    size_t n = s->in_end - s->in_start;
    if (n > size)
        n = size;
    s->in_start += (uint32_t)n;
    return n;
}

bool nbd_stream_has_more(const struct nbd_stream *s)
{
    return s->in_start < s->in_end;
}

uint32_t nbd_stream_room(struct nbd_stream *s)
{
    if (s->out_start == s->out_end)
        s->out_start = s->out_end = 0;
    return NBD_STREAM_BYTES - s->out_end;
}

size_t nbd_stream_put(struct nbd_stream *s, const uint8_t *from, size_t size)
{
    size_t done = 0;
    if (size >= DIRECT_BYTES && nbd_stream_push(s)) {
        done = send(s, from, size);
        if (done == size || size - done >= DIRECT_BYTES)
            return done;
    }
    if (nbd_stream_room(s) == 0)
        nbd_stream_push(s);
    size_t n = nbd_stream_room(s);
    if (n > size - done)
        n = size - done;
    memcpy(s->out + s->out_end, from + done, n);
    s->out_end += (uint32_t)n;
    return done + n;
}

bool nbd_stream_push(struct nbd_stream *s)
{
    while (s->out_start < s->out_end) {
        size_t n = send(s, s->out + s->out_start, s->out_end - s->out_start);
        if (!n)
            return false;
        s->out_start += (uint32_t)n;
    }
    s->out_start = s->out_end = 0;
    return true;
}
