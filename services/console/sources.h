// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whose output the console takes next: guests' consoles and processes' logs, each a ring that its
 * writer may fill without end. They have their turns one after the other, SOURCE_TURN bytes each. What
 * is shown needs room on the serial line; when that runs out, whoever has found none is the first of
 * the next round, and what is not shown goes on. Each is bounded in bytes a second: the console runs
 * above all VMs. Portable.
 */
#ifndef CONSOLE_SOURCES_H
#define CONSOLE_SOURCES_H

#include "lib/pace.h"

#define SOURCE_TURN 2048u
#define SOURCE_BURST (64u << 10) /* bytes at once */
#define SOURCE_BYTE_NS 4000u     /* and then one each so long: 244 KiB a second */
#define SOURCE_SHOWN_COST 16u    /* a byte that is shown counts as so many: 15 KiB a second */

struct source { /* memory of its owner, who sets the first four */
    void *context;
    uint32_t (*take)(void *context, uint32_t most); /* reads and shows; how many bytes it was */
    bool (*is_empty)(void *context);                /* if so, whoever writes will signal */
    bool (*is_shown)(void *context);                /* what it takes goes to the serial line */
    struct source *next;
    struct pace bytes;
};

struct sources { /* zeroed: none */
    struct source *first;
};

void sources_add(struct sources *all, struct source *source);
void sources_remove(struct sources *all, struct source *source);

/* One turn for each; all are asked whether they are empty. has_room is asked before each that is shown.
   True: something was taken. *next_ns: when somebody who has written too much may again; 0: nobody
   has. */
bool sources_serve(struct sources *all, bool (*has_room)(void), uint64_t now_ns, uint64_t *next_ns);

#endif
