// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mode `local`: what the guest writes goes to a difference in the local store, which is named by the
 * disk and tied to its base image, and stays there over a reboot.
 *
 * A read first asks the difference; what that does not hold comes from below as in every mode
 * (read.c leaves out the sectors of request->held). The base never changes, so a read shows each
 * sector as it was at one moment while it was under way: a change that was done before it is seen,
 * one that is under way may be. Changes that overlap take effect in the order of their submission.
 * A flush is the store's: it covers what had been done before it.
 *
 * In mode `ram` a disk has a difference too, if there is a store: a temporary one, to which the overlay's
 * older pages go when it is full (spill.c). It is deleted with the disk, or, after a crash, when the
 * store is used again.
 *
 * difference.c: opening and the end; difference_ops.c: requests.
 */
#ifndef VDISK_DIFFERENCE_H
#define VDISK_DIFFERENCE_H

#include "vdisk/store/store.h"
#include "vdisk/vdisk.h"

#define DIFF_TEMPORARY "~" /* names of temporary differences begin so */

/* One request at the store, and behind a read's end until it has what lies below too. */
struct diff_op {
    struct store_op op;
    struct list node; /* in diff->ops while it is at the store */
    struct difference *diff;
    struct vdisk_request *request; /* NULL: forgotten */
    uint64_t end;                  /* of its range; of a flush: diff->written at its submission */
    uint8_t held[];                /* of a read: store_op.held */
};

struct difference {
    struct list node; /* in engine->differences */
    struct vdisk *engine;
    struct vdisk_disk *disk;     /* NULL: gone; when nothing is under way any more, this goes too */
    struct store_object *object; /* NULL: not open yet */
    const char *waits_for;       /* then: what for */
    uint64_t since_ns, retry_ns, sums_ns; /* of waiting; not before: another try, other sums */
    char name[64];
    bool is_temporary; /* mode ram */
    struct list room;  /* writes that wait for room in the overlay */
    struct list pages; /* of the overlay, on their way to the store: spill.c */
    uint32_t page_count;
    struct list ops, wait;                 /* wait: requests for which there was no memory */
    struct store_op flush;                 /* that nobody asked for: at a drain, and at the end */
    uint64_t written, flushed, flush_mark; /* changes done, those that are durable, or will be */
    bool is_flushing, wants_flush, said_near, said_full, said_damaged, said_failed;
    uint64_t look_ns; /* not before: is the store nearly full? */
    uint64_t idle_ns; /* of a temporary one: no page could leave; not before */
    uint64_t full_errors, damaged_errors;
};

/* -- of a disk -- */
struct difference *diff_new(struct vdisk_disk *d); /* NULL: no memory */
/* The disk goes, its requests have been forgotten. What was written becomes durable; then *l is freed. */
void diff_leave(struct difference *l);
/* Read, write, flush, discard, zeroes, judged; the difference is open. */
void diff_submit(struct difference *l, struct vdisk_request *r);
/* The store works on the request: it ends soon, whatever the server does. */
bool diff_is_at_store(const struct vdisk_request *r);
/* Mode ram: the overlay has taken a part of the write, and waits for room for the rest. False: there is
   no store, or no room in it. */
bool spill_wait(struct vdisk_disk *d, struct vdisk_request *r);
/* The request is forgotten, or has ended: its memory is not touched any more. */
void diff_forget(struct vdisk_request *r);

/* What is wrong, for the status line: "", or a phrase with a comma before it. */
const char *diff_trouble(const struct difference *l);

/* -- of the engine -- */
/* Moves what can move. True: exports have something to do. */
bool diff_run(struct vdisk *v);
uint64_t diff_deadline(const struct vdisk *v);
void diff_drain(struct vdisk *v);
bool diff_is_drained(const struct vdisk *v);
/* The store is not to be used any more, nor run: requests at it fail, and its disks, for good. */
void diff_store_gone(struct vdisk *v);
void diff_end(struct vdisk *v); /* frees all; the store is not run any more */

/* -- between the files -- */
bool spill_is_wanted(const struct difference *d); /* the temporary difference is to be made */
void spill_run(struct difference *d);             /* moves pages, and writes that wait for them */
/* The disk, or the store, goes: memory of pages is not touched any more. */
void spill_abandon(struct difference *d, bool is_store_gone);
void diff_retry(struct difference *l); /* requests that wait for memory */

#endif
