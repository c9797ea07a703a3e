// SPDX-License-Identifier: BSD-2-Clause
/*
 * How often the service may go round its loop for nothing. Every vmm can signal it, at any rate, and it
 * runs above all vmms: a signal that brings no request must not cost the others much. But under load
 * signals come late, when what they tell of is done already; so each round in which something moved
 * lets one empty round pass. Portable.
 */
#ifndef VDISK_SERVICE_ROUNDS_H
#define VDISK_SERVICE_ROUNDS_H

#include "lib/pace.h"

#define ROUNDS_SPARE 2000u        /* empty rounds that can be earned in advance */
#define ROUNDS_EMPTY_NS 200000ull /* besides: one each so long, */
#define ROUNDS_EMPTY_BURST 1000u  /* and so many at once */

struct rounds {
    uint32_t spare;
    struct pace empty;
};

void rounds_init(struct rounds *r);

/* After each round: did anything move? Returns when the next may be; 0: at once. */
uint64_t rounds_next(struct rounds *r, bool has_moved, uint64_t now_ns);

#endif
