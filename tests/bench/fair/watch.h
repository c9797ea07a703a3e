// SPDX-License-Identifier: BSD-2-Clause
/*
 * How late this host lets a process run: a thread that wants to run every millisecond counts by how much
 * it came late. What is measured in real time by processes that the host kept waiting says nothing.
 */
#ifndef FAIR_WATCH_H
#define FAIR_WATCH_H

#include <stdint.h>

struct watch_lapses {
    uint64_t all_us, longest_us; /* what is below a millisecond is not counted */
};

/* Begins to watch, once in a process. Ends the process if there is no thread to be had. */
void watch_begin(void);
struct watch_lapses watch_lapses(void);

#endif
