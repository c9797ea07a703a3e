// SPDX-License-Identifier: BSD-2-Clause
#include "tests/bench/fair/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TURN_US 1000u
#define LATE_US 1000u

static _Atomic uint64_t all_us, longest_us;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void *watch(void *unused)
{
    const struct timespec turn = {0, TURN_US * 1000};
    for (uint64_t before = now_us();; before = now_us()) {
        nanosleep(&turn, NULL);
        uint64_t took = now_us() - before, late = took > TURN_US ? took - TURN_US : 0;
        if (late < LATE_US)
            continue;
        all_us += late;
        if (late > longest_us)
            longest_us = late;
    }
    return unused;
}

void watch_begin(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) || pthread_detach(thread)) {
        fputs("leat-fair: no thread can be started\n", stderr);
        exit(1);
    }
}

struct watch_lapses watch_lapses(void)
{
    return (struct watch_lapses){all_us, longest_us};
}
