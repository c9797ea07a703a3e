// SPDX-License-Identifier: BSD-2-Clause
/*
 * The one ring layout: vmm<->vdisk, vdisk<->net, anything<->console, anything<->supervisor.
 *
 * A ring is one direction, one producer, one consumer, in memory that both map. It holds fixed-size
 * entries, or bytes (entry_size 1: a byte stream). `head` and `tail` count entries since the start
 * and wrap at 2^32; the number of entries `count` is a power of two, the slot of index i is
 * i & (count - 1). Filled entries: head - tail, at most `count`.
 *
 * The peer is not trusted. Each side keeps `count`, `entry_size` and its own index privately (struct
 * leat_ring_end in lib/ring.h), reads the peer's index once, and treats head - tail > count as a
 * broken peer (LEAT_EPROTO). An entry is copied out before it is checked.
 *
 * Sleeping: a consumer that found the ring empty stores 1 in `consumer_waits`, issues a full fence,
 * looks again, then waits on its notification. A producer that has published `head` issues a full
 * fence, and signals the peer's notification only if it finds and clears `consumer_waits`. The same
 * with `producer_waits` for a producer that found the ring full.
 */
#ifndef LEAT_RING_H
#define LEAT_RING_H

#include <leat/types.h>

struct leat_ring {
    _Alignas(64) uint32_t head; /* written by the producer, release order */
    uint32_t producer_waits;    /* set by the producer, cleared by the consumer who then signals */
    _Alignas(64) uint32_t tail; /* written by the consumer, release order */
    uint32_t consumer_waits;    /* set by the consumer, cleared by the producer who then signals */
    _Alignas(64) uint8_t entries[];
};

/* Bytes that a ring takes in shared memory. */
#define LEAT_RING_BYTES(count, entry_size) (sizeof(struct leat_ring) + (size_t)(count) * (entry_size))

#endif
