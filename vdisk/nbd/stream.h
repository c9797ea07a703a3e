// SPDX-License-Identifier: BSD-2-Clause
/* A connection with a small buffer each way, so that headers cost no call of the platform each. */
#ifndef VDISK_NBD_STREAM_H
#define VDISK_NBD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vdisk/platform.h"

#define NBD_STREAM_BYTES 16384u

struct nbd_stream {
    const struct vdisk_platform *platform;
    void *conn;
    uint64_t moved; /* bytes received and sent so far: a sign of life */
    uint32_t in_start, in_end, out_start, out_end;
    uint8_t in[NBD_STREAM_BYTES];
    uint8_t out[NBD_STREAM_BYTES];
};

void nbd_stream_init(struct nbd_stream *s, const struct vdisk_platform *platform, void *conn);

/* The next `size` (at most NBD_STREAM_BYTES) bytes if they have all arrived, NULL else. They stay
   until nbd_stream_skip. */
const uint8_t *nbd_stream_peek(struct nbd_stream *s, uint32_t size);
void nbd_stream_skip(struct nbd_stream *s, uint32_t size); /* at most what was peeked */
/* Moves up to `size` bytes that have arrived to `to`; how many. */
size_t nbd_stream_take(struct nbd_stream *s, uint8_t *to, size_t size);
/* Drops up to `size` bytes that have arrived; how many. */
size_t nbd_stream_drop(struct nbd_stream *s, size_t size);

/* True if something has been received that nobody has looked at. */
bool nbd_stream_has_more(const struct nbd_stream *s);

/* Room in the send buffer, for headers that must go whole. */
uint32_t nbd_stream_room(struct nbd_stream *s);
/* Sends or queues as much as fits; how many bytes. 0: nothing can be sent now. */
size_t nbd_stream_put(struct nbd_stream *s, const uint8_t *from, size_t size);
/* Sends what is queued; true: all gone. */
bool nbd_stream_push(struct nbd_stream *s);

#endif
