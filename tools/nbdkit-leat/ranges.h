// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ranges of blocks that are being written: who takes one waits until nobody has a part of it. So a write of a
 * part of a block, which copies the rest up from below, cannot undo another one's.
 */
#ifndef NBDKIT_LEAT_RANGES_H
#define NBDKIT_LEAT_RANGES_H

#include <pthread.h>
#include <stdint.h>

struct range { /* the caller's, on its stack */
    uint64_t first, last;
    struct range *next;
};

struct ranges {
    pthread_mutex_t lock;
    pthread_cond_t left;
    struct range *taken;
};

void ranges_init(struct ranges *ranges);
void ranges_free(struct ranges *ranges);
/* Blocks. Both ends belong to it. A thread has at most one. */
void ranges_take(struct ranges *ranges, struct range *range, uint64_t first, uint64_t last);
void ranges_leave(struct ranges *ranges, struct range *range);

#endif
