// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the link to a server can do, from the answers to reads: the shortest round trip and the
 * highest rate of delivery of the last seconds. How much may be under way that nobody waits for
 * follows from them: a little more than the link itself holds, so that it is never idle, and a read
 * that somebody waits for finds next to no queue.
 */
#ifndef VDISK_METER_H
#define VDISK_METER_H

#include <stdbool.h>
#include <stdint.h>

#define METER_BUCKETS                                                                              \
    24u /* of a histogram: bucket i counts [2^i, 2^(i+1)) microseconds; 0: below 2 */

struct meter_mark { /* of a read when it is sent */
    uint64_t delivered, delivered_ns;
};

struct meter {
    uint64_t delivered, delivered_ns; /* payload bytes so far; when the last of them came */
    uint64_t epoch_ns;
    /* Of this epoch and the one before; 0: unknown; bytes a second. peak: during one read, which finds a
       fast link soon, but also takes a burst after a pause of this machine for one; mean: in a while. */
    uint64_t rtt_ns[2], peak[2], mean[2];
    uint64_t while_ns, while_delivered; /* when the while began, and what had been delivered then */
    uint64_t round_ns, round_rate;
    bool
        was_full; /* in this epoch the window was used up: the rate is the link's, not the guest's */
    uint32_t rounds_flat; /* rounds in a row in which the rate has not grown by a quarter */
};

/* A read leaves while `flying` others are under way. */
void meter_sent(struct meter *m, struct meter_mark *mark, uint32_t flying, uint64_t now_ns);
/* Its answer has come whole. */
void meter_answered(struct meter *m, const struct meter_mark *mark, uint64_t sent_ns,
                    uint32_t bytes, uint64_t now_ns);
/* The connection was lost: another link may be next. */
void meter_reset(struct meter *m);
uint64_t meter_rtt_ns(const struct meter *m); /* 0: unknown */
uint64_t meter_rate(const struct meter *m);   /* bytes a second; 0: unknown */
/* Bytes that may be under way without anybody waiting. */
uint64_t meter_window(const struct meter *m);
/* The same, of a round trip of that time. */
uint64_t meter_window_for(const struct meter *m, uint64_t rtt_ns);

/* Counts a time in a histogram. */
void meter_count(uint64_t histogram[METER_BUCKETS], uint64_t ns);
/* So many of 1,000 took less than that, in microseconds: the end of the bucket; 0: none was counted. */
uint64_t meter_below_us(const uint64_t histogram[METER_BUCKETS], unsigned permille);

#endif
