// SPDX-License-Identifier: BSD-2-Clause
#include "lib/loop.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/sys.h"

void leat_loop_init(struct leat_loop *loop, leat_handle_t notif)
{
    memset(loop, 0, sizeof(*loop));
    loop->notif = notif;
}

int leat_loop_on(struct leat_loop *loop, uint64_t bits, leat_loop_fn fn, void *context)
{
    unsigned i = 0;

    while (i < loop->handler_count && loop->handlers[i].bits != 0) {
        i++;
    }
    if (i == LEAT_LOOP_MAX_HANDLERS) {
        return LEAT_ENOMEM;
    }
    if (i == loop->handler_count) {
        loop->handler_count++;
    }
    loop->handlers[i] = (struct leat_loop_handler){bits, fn, context};
    loop->mask |= bits;
    return LEAT_OK;
}

void leat_loop_off(struct leat_loop *loop, uint64_t bits)
{
    loop->mask = 0;
    for (unsigned i = 0; i < loop->handler_count; i++) {
        if ((loop->handlers[i].bits & bits) != 0) {
            loop->handlers[i].bits = 0;
        }
        loop->mask |= loop->handlers[i].bits;
    }
}

void leat_loop_timer(struct leat_loop *loop, struct leat_loop_timer *timer, leat_loop_fn fn,
                     void *context)
{
    *timer = (struct leat_loop_timer){0, fn, context, loop->timers};
    loop->timers = timer;
}

void leat_loop_timer_set(struct leat_loop *loop, struct leat_loop_timer *timer,
                         uint64_t deadline_ns)
{
    (void)loop;
    timer->deadline_ns = deadline_ns;
}

int leat_loop_idle(struct leat_loop *loop, leat_loop_idle_fn fn, void *context)
{
    if (loop->idle_count == LEAT_LOOP_MAX_IDLE) {
        return LEAT_ENOMEM;
    }
    loop->idle[loop->idle_count].fn = fn;
    loop->idle[loop->idle_count].context = context;
    loop->idle_count++;
    return LEAT_OK;
}

/* All are asked: each announces its wish to be signalled. */
static bool has_more_work(struct leat_loop *loop)
{
    bool more = false;

    for (unsigned i = 0; i < loop->idle_count; i++) {
        more |= loop->idle[i].fn(loop->idle[i].context);
    }
    return more;
}

static uint64_t next_deadline(const struct leat_loop *loop)
{
    uint64_t deadline = LEAT_FOREVER;

    for (const struct leat_loop_timer *t = loop->timers; t != NULL; t = t->next) {
        if (t->deadline_ns != 0 && t->deadline_ns < deadline) {
            deadline = t->deadline_ns;
        }
    }
    return deadline;
}

static void serve_bits(struct leat_loop *loop, uint64_t bits)
{
    for (unsigned i = 0; i < loop->handler_count; i++) {
        if ((loop->handlers[i].bits & bits) != 0) {
            loop->handlers[i].fn(loop->handlers[i].context);
        }
    }
}

static void serve_timers(struct leat_loop *loop)
{
    uint64_t now = 0;

    for (struct leat_loop_timer *t = loop->timers; t != NULL; t = t->next) {
        if (t->deadline_ns == 0) {
            continue;
        }
        if (now == 0) {
            now = leat_clock_ns();
        }
        if (t->deadline_ns <= now) {
            t->deadline_ns = 0;
            t->fn(t->context);
        }
    }
}

void leat_loop_step(struct leat_loop *loop)
{
    uint64_t deadline = has_more_work(loop) ? 0 : next_deadline(loop);
    int64_t bits = leat_notif_wait(loop->notif, loop->mask, deadline);

    if (bits > 0) {
        serve_bits(loop, (uint64_t)bits);
    }
    serve_timers(loop);
}

void leat_loop_run(struct leat_loop *loop)
{
    for (;;) {
        leat_loop_step(loop);
    }
}

_Noreturn void leat_loop_run_paced(struct leat_loop *loop, struct pace *rounds)
{
    int64_t nobody = leat_notif_create(); /* whom nobody can signal */

    for (;;) {
        while (nobody > 0 && !pace_take(rounds, leat_clock_ns())) {
            leat_notif_wait((leat_handle_t)nobody, 1, pace_next_ns(rounds));
        }
        leat_loop_step(loop);
    }
}
