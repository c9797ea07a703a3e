// SPDX-License-Identifier: BSD-2-Clause
/*
 * The commands of a controller that works on several at a time, in numbered slots: those that wait, those with the device,
 * those to be repeated, those that have ended. One thread. Nothing here touches a device.
 *
 * A command is always in exactly one of these places, so done() is called exactly once.
 */
#ifndef DRIVERS_BLOCK_WORK_H
#define DRIVERS_BLOCK_WORK_H

#include "drivers/block/core.h"

#define BLOCK_SLOTS 64u
#define BLOCK_AGAIN_MS 100u /* between a command's failure and its repetition */

struct block_work { /* all zero but slots: nothing to do */
    struct block_queue waiting, again, ended;
    uint64_t again_ns;                       /* when `again` is due, if it is not empty */
    uint64_t busy;                           /* bit n: slot n is with the device */
    struct block_command *slot[BLOCK_SLOTS]; /* of busy slots */
    unsigned slots;                          /* that may be used: 1 to BLOCK_SLOTS */
    uint64_t next_log_ns;
    uint64_t watch_ns;    /* while a slot is busy: when the device is asked how it is */
    bool was_interrupted; /* since it was last asked */
    struct block_counters counters;
};

/* bits of block_command.phase */
enum block_phase {
    BLOCK_PHASE_OK = 1u << 0,    /* in `ended`: what done() is told */
    BLOCK_PHASE_FLUSH = 1u << 1, /* a FUA write whose data are written: now it is a flush */
};

/* A command that was submitted and checked. */
void block_work_add(struct block_work *work, unsigned unit, struct block_command *command);

/* The next waiting command goes into a free slot, its time limit begins. Returns the slot; -1: none waits, or no slot is
   free. */
int block_work_take(struct block_work *work, uint64_t now_ns);

/* Takes a command out of its slot. */
struct block_command *block_work_release(struct block_work *work, unsigned slot);

/* done() is to be called, with this. */
void block_work_end(struct block_work *work, struct block_command *command, bool is_ok);

/* A command that failed: again in BLOCK_AGAIN_MS, or ended if it may not be repeated, or has been often enough. */
void block_work_repeat(struct block_work *work, struct block_command *command, uint64_t now_ns);

/* The device was reset: what was with it is repeated or ended. */
void block_work_repeat_all(struct block_work *work, uint64_t now_ns);

/* The device, or one unit of it, is gone: everything ends, with failure. */
void block_work_fail_all(struct block_work *work);
void block_work_fail_unit(struct block_work *work, unsigned unit);

/* Commands that are to be repeated now join those that wait. */
void block_work_wake(struct block_work *work, uint64_t now_ns);

/* Calls done() of what had ended before the call; what ends meanwhile waits for the next. */
void block_work_deliver(struct block_work *work);

/* When something is due: the nearest time limit, repetition or block_work_watch(); 0: there is something to deliver;
   BLOCK_NEVER. */
uint64_t block_work_next(const struct block_work *work);

/* The lowest busy slot whose time limit has passed; -1: none. */
int block_work_overdue(const struct block_work *work, uint64_t now_ns);

/* The device has interrupted. */
void block_work_interrupted(struct block_work *work);

/* BLOCK_CHECK_MS after the device was given something, and as often while it has something: true, the device is to be
   asked how it is, and whether it has forgotten an interrupt. */
bool block_work_watch(struct block_work *work, uint64_t now_ns);

/* It was asked, and so many commands had ended: by a lost interrupt, if there was none. */
void block_work_watched(struct block_work *work, unsigned ended);

/* How many slots are busy. */
int block_work_busy(const struct block_work *work);

/* Is this command, as it is sent now, a flush? */
static inline bool block_work_is_flush(const struct block_command *command)
{
    return command->op == BLOCK_FLUSH || (command->phase & BLOCK_PHASE_FLUSH);
}

/* May a line about a failed command be logged? One a second: a device that fails everything must not fill the log. */
bool block_work_may_log(struct block_work *work, uint64_t now_ns);

#endif
