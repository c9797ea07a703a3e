// SPDX-License-Identifier: BSD-2-Clause
/*
 * One direction of one relayed connection, over a link that all connections share.
 *
 * The link is a number: when its last bit will have left. A chunk that is read at t starts at
 * max(t, that), takes size / rate, and arrives delay later. Times are reckoned, not measured: what
 * had been waiting in the socket already (the read before it was a full one) is booked as if the
 * relay had not been late, so that a busy machine makes it deliver late but costs no bandwidth.
 *
 * TCP repairs loss below the relay's sockets, so a loss is what its user sees of it: the segment and
 * all behind it in that connection come one round trip later.
 */
#ifndef TESTS_BENCH_RELAY_LANE_H
#define TESTS_BENCH_RELAY_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_SEGMENT_BYTES 1448u /* of TCP over Ethernet with time stamps */

struct lane_link { /* one direction, shared */
    uint64_t rate; /* bits a second; 0: no limit */
    uint64_t delay_ns;
    uint64_t repair_ns; /* what a loss costs: one round trip */
    uint32_t loss_ppm;  /* chance of each segment, in 1/1000000 */
    uint64_t queue_ns;  /* how far ahead the link may be booked */
    uint64_t free_ns;   /* when the last bit booked will have left */
    uint64_t rng;
    uint64_t bytes, losses; /* carried so far */
};

struct lane_chunk {
    struct lane_chunk *next;
    uint64_t due_ns;
    size_t size, done;
    uint8_t data[];
};

struct lane {
    struct lane_link *link;
    int from, to; /* non-blocking sockets */
    struct lane_chunk *head, **tail;
    size_t queued;         /* bytes */
    uint64_t full_ns;      /* not 0: the last read was a full one, at that time */
    uint64_t last_due_ns;  /* nothing overtakes what was sent before */
    bool is_ended;         /* `from` has sent its last byte */
    bool is_shut, is_full; /* `to` was told so; `to` takes no more now */
};

void lane_init(struct lane *lane, struct lane_link *link, int from, int to);
void lane_free(struct lane *lane);
/* May something be read now? Else at *when (UINT64_MAX: once something was written). */
bool lane_may_read(const struct lane *lane, uint64_t now_ns, uint64_t *when);
/* Reads one chunk and books it. False: the connection is broken. */
bool lane_read(struct lane *lane, uint64_t now_ns);
/* Writes what is due. False: broken. */
bool lane_write(struct lane *lane, uint64_t now_ns);
/* When lane_write has something to do; UINT64_MAX: no idea. */
uint64_t lane_due(const struct lane *lane);
/* Everything has been delivered, the end too. */
bool lane_is_done(const struct lane *lane);

#endif
