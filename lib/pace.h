// SPDX-License-Identifier: BSD-2-Clause
/*
 * How often something may happen: a bucket that holds `burst` and gains one every `step_ns`. Supervisor
 * and services run above all guests, and their time is charged to nobody: a process that signals,
 * sends or writes without end must not keep them busy. Portable.
 */
#ifndef LIB_PACE_H
#define LIB_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    uint64_t step_ns;
    uint32_t burst;
    uint64_t full_ns; /* when the bucket is, or was, full */
};

/* Takes one; false: there is none before pace_next_ns(). Clocks that do not begin at 0 are fine: a
   bucket of zeros but for step_ns and burst is full. */
bool pace_take(struct pace *pace, uint64_t now_ns);

/* True: pace_take() would. */
bool pace_may(const struct pace *pace, uint64_t now_ns);

/* From when on there is one again. */
uint64_t pace_next_ns(const struct pace *pace);

/* How many there are. */
uint32_t pace_left(const struct pace *pace, uint64_t now_ns);

/* Takes so many, which are there (pace_left). */
void pace_take_many(struct pace *pace, uint64_t now_ns, uint32_t count);

#endif
