// SPDX-License-Identifier: BSD-2-Clause
/*
 * One end of a ring (include/leat/ring.h). Portable: atomics only, no system call. Not thread-safe:
 * one thread works one end.
 */
#ifndef LIB_RING_H
#define LIB_RING_H

#include <leat/ring.h>

struct leat_ring_end {
    struct leat_ring *shared;
    uint32_t count;      /* entries, a power of two */
    uint32_t entry_size; /* bytes; 1: a byte stream */
    uint32_t index;      /* own next index: head of a producer, tail of a consumer */
    uint32_t told_index; /* the index when leat_ring_must_signal was last asked */
    bool is_producer;
    bool is_broken; /* the peer's index made no sense: every call fails from now on */
};

/* Joins the end to shared memory of LEAT_RING_BYTES(count, entry_size) bytes; starts at the index
   that the shared ring holds for this side (0 in fresh memory). */
void leat_ring_join(struct leat_ring_end *end, void *shared, uint32_t count, uint32_t entry_size,
                    bool is_producer);

/* Entries (bytes) that can be got now, or put now. A broken peer: 0. */
uint32_t leat_ring_readable(struct leat_ring_end *end);
uint32_t leat_ring_writable(struct leat_ring_end *end);

/* One entry in or out by copy. LEAT_EAGAIN: full or empty. LEAT_EPROTO: broken peer. */
int leat_ring_put(struct leat_ring_end *end, const void *entry);
int leat_ring_get(struct leat_ring_end *end, void *entry);

/* As many entries (bytes) as fit; returns how many. */
uint32_t leat_ring_write(struct leat_ring_end *end, const void *entries, uint32_t count);
uint32_t leat_ring_read(struct leat_ring_end *end, void *entries, uint32_t count);

/* Without a copy: the first contiguous piece that is readable (writable); *count gets its length,
   NULL if none. Then leat_ring_advance(count used) publishes. */
void *leat_ring_piece(struct leat_ring_end *end, uint32_t *count);
void leat_ring_advance(struct leat_ring_end *end, uint32_t count);

/* After put, write, get, read or advance: must the peer be signalled? Asks once: clears the flag. */
bool leat_ring_must_signal(struct leat_ring_end *end);

/* Before sleeping on an empty (consumer) or full (producer) ring: announces the wish and looks
   again. True: nothing to do, sleep. False: there is work. */
bool leat_ring_may_sleep(struct leat_ring_end *end);

#endif
