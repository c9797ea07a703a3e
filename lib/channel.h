// SPDX-License-Identifier: BSD-2-Clause
/*
 * The end of a channel that a start entry (or a LEAT_CTL_ATTACH message) describes: a ring each way
 * in shared memory, and the notification of the other side.
 */
#ifndef LIB_CHANNEL_H
#define LIB_CHANNEL_H

#include <leat/start.h>
#include "lib/ring.h"

struct leat_channel_end {
    struct leat_ring_end in;  /* this side consumes */
    struct leat_ring_end out; /* this side produces */
    leat_handle_t peer;
    uint64_t peer_bits;
};

/* in and out: offsets of the two rings from the entry's va; entry sizes and counts from the
   channel's header in include/leat. The caller knows the layout is inside entry->size. */
void leat_channel_join(struct leat_channel_end *end, const struct leat_start_entry *entry,
                       size_t in_offset, uint32_t in_count, uint32_t in_entry_size,
                       size_t out_offset, uint32_t out_count, uint32_t out_entry_size);

/* Signals the entry's peer. Does nothing when it has none. */
void leat_signal_peer(const struct leat_start_entry *entry);

/* Signals the other side if one of the two rings calls for it (leat_ring_must_signal). Call after a
   batch of puts and gets. */
void leat_channel_flush(struct leat_channel_end *end);

/* True: nothing to read, and the other side will signal when that changes. */
bool leat_channel_may_sleep(struct leat_channel_end *end);

/* Gives back what an ATTACH brought: unmaps the memory and closes the entry's handles. To be called
   before LEAT_CTL_DETACHED is sent. */
void leat_channel_release(const struct leat_start_entry *entry);

#endif
