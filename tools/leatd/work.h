// SPDX-License-Identifier: BSD-2-Clause
/*
 * What may take long (a slow file system, a large file, a password's hash) is done by threads, so that the event loop never waits
 * for it. A lane is a thread and what it does one after the other; one that is stuck holds up nothing else.
 */
#ifndef LEATD_WORK_H
#define LEATD_WORK_H

#include <stdbool.h>

enum work_lane {
    WORK_WRITE, /* pieces of uploads: in one lane, so that two of one file are never written at once */
    WORK_LOOK,  /* one file opened, looked at or removed */
    WORK_HASH,  /* whole files */
    WORK_READ,  /* files on their way to a client */
    WORK_CLEAN, /* what nobody needs any more */
    WORK_PASSWORD,
    WORK_LANES
};

/*
 * How much waits in a lane at most, beside what is being done: each is a connection that rests. A room of machines that start at
 * once fits; two lanes that are stuck take half of what [client] listen has, so that all that needs neither goes on.
 */
#define WORK_MOST 64u
#define WORK_MOST_MACHINES 256u /* of WORK_LOOK, and of WORK_READ */

struct work {
    struct work *next; /* work.c's, and so are these two */
    void (*done)(void *context);
    void *context;
    void (*run)(
        struct work *
            work); /* in a thread: reads and writes the work's own memory, and a configuration, alone */
    void (*drop)(struct work *work); /* what it holds beside its memory; NULL: nothing */
};

/*
 * Queues it: it has to stay until `done` is called, once, by work_finish. False: there is no thread for it, or too much waits in
 * its lane; nothing is queued.
 */
bool work_begin(enum work_lane lane, struct work *work, void (*done)(void *context), void *context);

/* Readable when something is done; -1 before the first work_begin. */
int work_file(void);

/* Calls `done` of what is done, in the caller's thread. */
void work_finish(void);

/*
 * Waits for what is being done, and ends the threads; what has not begun is not done any more. Calls `done` of both, which must
 * not mind. Nothing may be begun from then on.
 */
void work_stop(void);

/* Frees work from malloc; NULL is nothing. */
void work_free(struct work *work);

#endif
