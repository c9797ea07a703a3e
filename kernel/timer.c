// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/timer.h"
#include "kernel/arch.h"
#include "kernel/info.h"
#include "kernel/percpu.h"
#include "kernel/sched.h"

static struct timer *timer_of(struct list *link)
{
    return LIST_ENTRY(link, struct timer, link);
}

void timer_init(struct timer *timer, void (*expired)(struct timer *timer))
{
    list_init(&timer->link);
    timer->deadline_tsc = TIMER_NEVER;
    timer->expired = expired;
}

void timer_need_interrupt_at(uint64_t tsc)
{
    struct percpu *cpu = this_cpu();
    /* An interrupt that comes too early costs less than moving it back each time it is not needed. */
    if (tsc < cpu->timer_armed_tsc) {
        cpu->timer_armed_tsc = tsc;
        arch_timer_arm(tsc);
    }
}

void timer_start(struct timer *timer, uint64_t deadline_tsc)
{
    struct percpu *cpu = this_cpu();
    list_remove(&timer->link);
    timer->deadline_tsc = deadline_tsc;
    if (deadline_tsc == TIMER_NEVER)
        return;
    /* From the end: most new deadlines are later than the others. */
    struct list *at = cpu->timers.prev;
    while (at != &cpu->timers && timer_of(at)->deadline_tsc > deadline_tsc)
        at = at->prev;
    list_insert_before(at->next, &timer->link);
    timer_need_interrupt_at(deadline_tsc);
}

void timer_cancel(struct timer *timer)
{
    list_remove(&timer->link);
}

void timer_interrupt(void)
{
    struct percpu *cpu = this_cpu();
    uint64_t now = rdtsc();
    cpu->timer_armed_tsc = TIMER_NEVER;
    while (!list_empty(&cpu->timers)) {
        struct timer *first = timer_of(cpu->timers.next);
        if (first->deadline_tsc > now) {
            timer_need_interrupt_at(first->deadline_tsc);
            break;
        }
        list_remove(&first->link);
        first->expired(first);
    }
    sched_slice_check(now);
}

/* (a * b) >> 32 in 128 bits. */
static uint64_t mul_shift(uint64_t a, uint64_t b)
{
    return (uint64_t)(((unsigned __int128)a * b) >> 32);
}

uint64_t clock_span_ns(uint64_t ticks)
{
    return mul_shift(ticks, kernel_info.tsc_mult);
}

uint64_t clock_tsc_to_ns(uint64_t tsc)
{
    return tsc <= kernel_info.tsc_base ? 0 : clock_span_ns(tsc - kernel_info.tsc_base);
}

uint64_t clock_ns(void)
{
    return clock_tsc_to_ns(rdtsc());
}

uint64_t clock_ticks(uint64_t ns)
{
    /* The smallest t with (t * mult) >> 32 >= ns, that is ceil((ns << 32) / mult): no thread wakes
       before its deadline as it reads the clock. */
    uint64_t high = ns >> 32, low = ns << 32, quotient, rest;
    if (high >= kernel_info.tsc_mult)
        return TIMER_NEVER;
    __asm__("divq %4"
            : "=a"(quotient), "=d"(rest)
            : "a"(low), "d"(high), "r"(kernel_info.tsc_mult)
            : "cc");
    return quotient + (rest != 0 && quotient != TIMER_NEVER);
}

uint64_t clock_ns_to_tsc(uint64_t ns)
{
    uint64_t tsc;
    return __builtin_add_overflow(kernel_info.tsc_base, clock_ticks(ns), &tsc) ? TIMER_NEVER : tsc;
}
