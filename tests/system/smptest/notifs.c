// SPDX-License-Identifier: BSD-2-Clause
/* Notifications between CPUs: each signal arrives, once, and time-outs come in time. */
#include "tests/system/smptest/smptest.h"

#define LAPS 100
#define CALLS 300
#define TIMEOUTS 40
#define RACES 200
#define TIMEOUT_NS 200000u
#define RACE_NS 50000u
#define RACE_MOST_NS (20 * MS)

static leat_handle_t notifs[2 * MOST_CPUS + 1];
static struct child children[2 * MOST_CPUS];

static bool make(unsigned notif_count, unsigned child_count)
{
    for (unsigned i = 0; i < notif_count; i++)
        notifs[i] = (leat_handle_t)leat_notif_create();
    for (unsigned i = 0; i < child_count; i++)
        if (!child_make(&children[i], LEAT_PRIO_SERVICE, 1ull << i % cpus))
            return false;
    return true;
}

static void unmake(unsigned notif_count, unsigned child_count)
{
    for (unsigned i = 0; i < child_count; i++)
        child_end(&children[i]);
    for (unsigned i = 0; i < notif_count; i++)
        leat_handle_close(notifs[i]);
}

static int64_t wait(leat_handle_t notif, uint64_t mask)
{
    return leat_notif_wait(notif, mask, leat_clock_ns() + PATIENCE_NS);
}

/* Passes tokens (bits) on from handle[0] to handle[1], each `rounds` times. */
static void pass_on(struct job *job)
{
    uint8_t laps[64] = {0};
    uint64_t dropped = 0, tokens = job->rounds >> 32, most = job->rounds & 0xffffffff;
    while (dropped != tokens) {
        int64_t got = wait(job->handle[0], tokens);
        if (got < 0) {
            job->bad++;
            break;
        }
        for (uint64_t rest = (uint64_t)got; rest; rest &= rest - 1) {
            unsigned token = (unsigned)__builtin_ctzll(rest);
            job->count++;
            if (++laps[token] == most) {
                dropped |= 1ull << token;
                if (job->handle[2]) /* where the tokens start, and end */
                    got &= ~(1ll << token);
            }
        }
        if (got)
            leat_notif_signal(job->handle[1], (uint64_t)got);
    }
    job->value[0] = 1;
    job_exit(job);
}

/* Tokens go round a ring of threads, two on each CPU. */
static void check_ring(void)
{
    unsigned count = 2 * cpus;
    uint64_t tokens = (1ull << cpus) - 1;
    if (!make(count, count))
        return;
    for (unsigned i = 0; i < count; i++) {
        struct job *job = &SHARED->jobs[i];
        job->handle[0] = child_give(&children[i], notifs[i], LEAT_RIGHT_WAIT);
        job->handle[1] = child_give(&children[i], notifs[(i + 1) % count], LEAT_RIGHT_SIGNAL);
        job->handle[2] = i == 0;
        job->rounds = tokens << 32 | (LAPS + (i == 0)); /* the first sees the start too */
        child_run(&children[i], pass_on, i, LEAT_PRIO_SERVICE);
    }
    leat_notif_signal(notifs[0], tokens);
    for (unsigned i = 0; i < count; i++) {
        struct job *job = &SHARED->jobs[i];
        check(SOON(job->value[0]) && !job->bad && job->count == (LAPS + (i == 0)) * cpus,
              "thread %u of the ring has had %u tokens", i, (unsigned)job->count);
    }
    unmake(count, count);
}

static void call(struct job *job)
{
    for (; job->count < CALLS; job->count++) {
        leat_notif_signal(job->handle[0], job->rounds);
        if (wait(job->handle[1], 1) != 1)
            break;
    }
    job->value[0] = 1;
    job_exit(job);
}

/* Two of these wait in one line; the caller n's notification is handle[2] of job n. */
static void serve(struct job *job)
{
    while (!job->stop) {
        int64_t got = leat_notif_wait(job->handle[0], UINT64_MAX >> 1, LEAT_FOREVER);
        for (uint64_t rest = got < 0 ? 0 : (uint64_t)got; rest; rest &= rest - 1) {
            job->count++;
            leat_notif_signal(SHARED->jobs[__builtin_ctzll(rest)].handle[2], 1);
        }
    }
    job_exit(job);
}

static void check_calls(void)
{
    unsigned servers = cpus; /* the first of two jobs, and their domain */
    if (!make(cpus + 1, cpus + 1))
        return;
    child_share(&children[servers], LEAT_SCHED_WEIGHT, 0, 0);
    leat_handle_t line = child_give(&children[servers], notifs[cpus], LEAT_RIGHT_WAIT);
    for (unsigned i = 0; i < cpus; i++) {
        struct job *job = &SHARED->jobs[i];
        job->handle[0] = child_give(&children[i], notifs[cpus], LEAT_RIGHT_SIGNAL);
        job->handle[1] = child_give(&children[i], notifs[i], LEAT_RIGHT_WAIT);
        job->handle[2] = child_give(&children[servers], notifs[i], LEAT_RIGHT_SIGNAL);
        job->rounds = 1ull << i;
    }
    for (unsigned i = 0; i < 2; i++) {
        SHARED->jobs[servers + i].handle[0] = line;
        child_run(&children[servers], serve, servers + i, LEAT_PRIO_SERVICE);
    }
    for (unsigned i = 0; i < cpus; i++)
        child_run(&children[i], call, i, LEAT_PRIO_GUEST);
    for (unsigned i = 0; i < cpus; i++)
        check(SOON(SHARED->jobs[i].value[0]) && SHARED->jobs[i].count == CALLS,
              "caller %u was answered %u times", i, (unsigned)SHARED->jobs[i].count);
    uint64_t served = SHARED->jobs[servers].count + SHARED->jobs[servers + 1].count;
    check(served == CALLS * cpus, "%u calls were served", (unsigned)served);
    unmake(cpus + 1, cpus + 1);
}

static void time_out(struct job *job)
{
    for (; job->count < TIMEOUTS; job->count++) {
        uint64_t deadline = leat_clock_ns() + TIMEOUT_NS;
        int64_t got = leat_notif_wait(job->handle[0], 1, deadline);
        job->bad += got != LEAT_ETIMEDOUT || leat_clock_ns() < deadline;
    }
    job->value[0] = 1;
    job_exit(job);
}

static void check_timeouts(void)
{
    if (!make(1, cpus))
        return;
    for (unsigned i = 0; i < cpus; i++) {
        SHARED->jobs[i].handle[0] = child_give(&children[i], notifs[0], LEAT_RIGHT_WAIT);
        child_run(&children[i], time_out, i, LEAT_PRIO_DEVICE);
    }
    for (unsigned i = 0; i < cpus; i++)
        check(SOON(SHARED->jobs[i].value[0]) && !SHARED->jobs[i].bad, "%u time-outs were wrong",
              (unsigned)SHARED->jobs[i].bad);
    unmake(1, cpus);
}

/* Signals once more as soon as the last one has arrived. */
static void race_send(struct job *job)
{
    uint64_t end = leat_clock_ns() + PATIENCE_NS;
    while (job->count < RACES && leat_clock_ns() < end) {
        leat_notif_signal(job->handle[0], 1);
        job->count++;
        while (job->peer->count < job->count && leat_clock_ns() < end)
            leat_thread_yield();
    }
    job->value[0] = 1;
    job_exit(job);
}

/* Waits with time-outs that come about when the signals do; longer ones each time that none came, so that the sender
 * beside it gets on where a wake-up takes longer than that. */
static void race_receive(struct job *job)
{
    for (uint64_t ns = RACE_NS;;) {
        int64_t got =
            leat_notif_wait(job->handle[0], 1, leat_clock_ns() + ns + (leat_rdtsc() & 0xffff));
        ns = got == 1 ? RACE_NS : ns < RACE_MOST_NS ? 2 * ns : ns;
        if (got == 1)
            job->count++;
        else
            job->bad += got != LEAT_ETIMEDOUT;
    }
}

static void check_races(void)
{
    if (!make(cpus, 2 * cpus))
        return;
    for (unsigned i = 0; i < cpus; i++) {
        unsigned to = cpus + (i + 1) % cpus; /* on the next CPU */
        SHARED->jobs[i].peer = &SHARED->jobs[to];
        SHARED->jobs[i].handle[0] = child_give(&children[i], notifs[i], LEAT_RIGHT_SIGNAL);
        SHARED->jobs[to].handle[0] = child_give(&children[to], notifs[i], LEAT_RIGHT_WAIT);
        child_run(&children[to], race_receive, to, LEAT_PRIO_GUEST);
        child_run(&children[i], race_send, i, LEAT_PRIO_GUEST);
    }
    for (unsigned i = 0; i < cpus; i++) {
        const struct job *job = &SHARED->jobs[i];
        check(SOON(job->value[0]) && job->peer->count == RACES && !job->peer->bad,
              "%u of %u signals arrived, %u strange results", (unsigned)job->peer->count,
              (unsigned)job->count, (unsigned)job->peer->bad);
    }
    unmake(cpus, 2 * cpus);
}

void test_notifications(void)
{
    check_ring();
    check_calls();
    check_timeouts();
    check_races();
}
