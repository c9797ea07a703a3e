// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fair sharing of one link, one direction of it, between users. Two things make it fair:
 *
 * - No more than a window of bytes is under way in all: what the link holds and an eighth more
 *   (meter.h). What is over it waits here and not in the network's queues, where nobody chooses.
 * - Who goes next is chosen by deficit round robin over bytes: in each round a user may send its
 *   quantum, times its weight / SHARE_WEIGHT; what it sent beyond counts against the next one, what
 *   an idle user did not send is gone.
 *
 * So that a user who wants little need not wait for the others' turn, SHARE_SPARE bytes of each may be
 * under way whatever the window; they count in its rounds like all others. What a user can wait for
 * (patient pieces) has its rounds too, but neither uses the spare bytes nor takes them from the rest.
 *
 * The owner asks for each piece in a pass over all that is queued, and begins another pass as long
 * as share_next_round() says so. No memory of its own; users are structs in the owner's.
 */
#ifndef VDISK_SHARE_H
#define VDISK_SHARE_H

#include "vdisk/list.h"
#include "vdisk/meter.h"

#define SHARE_WEIGHT 100u /* of who says nothing else */
#define SHARE_MOST_WEIGHT 10000u
#define SHARE_SPARE (32u << 10)

struct share_user {
    struct list node; /* in share->users */
    uint32_t weight;  /* 1 ... SHARE_MOST_WEIGHT */
    int64_t deficit;  /* bytes that it may still send in this round */
    uint64_t flying;  /* bytes */
    uint64_t patient; /* of these: of patient pieces */
    uint32_t pieces;  /* under way */
    bool is_refused;  /* in this pass */
};

struct share {
    struct list users;
    struct meter meter;
    uint64_t flying; /* bytes */
    uint32_t pieces; /* under way */
    uint64_t rtt_ns; /* of the farthest server in use, as the owner knows it; 0: the meter's */
};

struct share_flight { /* of a piece that is under way */
    uint32_t bytes;   /* 0: none is */
    bool is_patient;  /* the owner's, before share_sent() */
    uint64_t sent_ns;
    struct meter_mark mark;
};

void share_init(struct share *s);
void share_join(struct share *s, struct share_user *u, uint32_t weight);
void share_weigh(struct share_user *u, uint32_t weight); /* 0: SHARE_WEIGHT */
/* Nothing of it may be under way. */
void share_leave(struct share_user *u);

/* Bytes that one piece should have at most, so that turns are short. */
uint32_t share_piece(const struct share *s);
uint64_t share_window(const struct share *s);
void share_begin_pass(struct share *s);
/* May it send a piece of that size now? False: it is remembered that it wants to. */
bool share_ask(struct share *s, struct share_user *u, uint32_t bytes);
bool share_ask_patient(struct share *s, struct share_user *u);
/* After a pass. True: some may send more, in another pass. */
bool share_next_round(struct share *s);
/* Somebody wanted to send in this pass and could not. */
bool share_is_short(const struct share *s);

void share_sent(struct share *s, struct share_user *u, struct share_flight *f, uint32_t bytes,
                uint64_t now_ns);
/* It has arrived, or (is_lost) was taken back. Harmless if it is not under way. */
void share_landed(struct share *s, struct share_user *u, struct share_flight *f, bool is_lost,
                  uint64_t now_ns);

#endif
