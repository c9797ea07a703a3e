// SPDX-License-Identifier: BSD-2-Clause
/*
 * The event loop of a process: waits on one notification, calls what its bits and timers are bound
 * to. One thread runs it and makes all calls to it. No allocation.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <leat/types.h>
#include "lib/pace.h"

#define LEAT_LOOP_MAX_HANDLERS 64
#define LEAT_LOOP_MAX_IDLE 8

typedef void (*leat_loop_fn)(void *context);
typedef bool (*leat_loop_idle_fn)(void *context);

struct leat_loop_handler {
    uint64_t bits; /* 0: slot is free */
    leat_loop_fn fn;
    void *context;
};

/* The caller's memory; stays registered for ever. */
struct leat_loop_timer {
    uint64_t deadline_ns; /* leat_clock; 0: off */
    leat_loop_fn fn;
    void *context;
    struct leat_loop_timer *next;
};

struct leat_loop {
    leat_handle_t notif;
    uint64_t mask; /* all bits that have a handler */
    unsigned handler_count, idle_count;
    struct leat_loop_handler handlers[LEAT_LOOP_MAX_HANDLERS];
    struct {
        leat_loop_idle_fn fn;
        void *context;
    } idle[LEAT_LOOP_MAX_IDLE];
    struct leat_loop_timer *timers;
};

void leat_loop_init(struct leat_loop *loop, leat_handle_t notif);

/* fn is called whenever any of these bits has come, once a wake-up. LEAT_ENOMEM: too many handlers. */
int leat_loop_on(struct leat_loop *loop, uint64_t bits, leat_loop_fn fn, void *context);

/* Removes the handlers that have any of these bits. */
void leat_loop_off(struct leat_loop *loop, uint64_t bits);

/* Makes a timer known, off at first. Call once for each timer. */
void leat_loop_timer(struct leat_loop *loop, struct leat_loop_timer *timer, leat_loop_fn fn,
                     void *context);

/* Absolute leat_clock time in ns; 0 switches off. One shot: it is off when fn is called. */
void leat_loop_timer_set(struct leat_loop *loop, struct leat_loop_timer *timer,
                         uint64_t deadline_ns);

/* fn is called before each sleep; true: there is more work, only poll. LEAT_ENOMEM: too many. */
int leat_loop_idle(struct leat_loop *loop, leat_loop_idle_fn fn, void *context);

/* One round: sleeps until a bit or a timer (unless there is work), and serves what came. */
void leat_loop_step(struct leat_loop *loop);

_Noreturn void leat_loop_run(struct leat_loop *loop);

/* The same at no higher pace than that, for a process that others can wake, also for nothing, at any
   rate: whoever has a channel to it can. Rounds without a sleep count too. */
_Noreturn void leat_loop_run_paced(struct leat_loop *loop, struct pace *rounds);

#endif
