// SPDX-License-Identifier: BSD-2-Clause
/* Threads that come and go on all CPUs, and handles that wander between domains. */
#include "tests/system/smptest/smptest.h"

#define THREADS 400u
#define AT_ONCE 40u
#define GRANTS 300u

/* Counts itself in value[0] of the job, and ends; needs no stack. */
static void come_and_go(struct job *job)
{
    __atomic_fetch_add(&job->value[0], 1, __ATOMIC_SEQ_CST);
    job_exit(job);
}

static void storm(struct job *job)
{
    while (job->count < THREADS) {
        uint64_t stack = (uint64_t)SHARED->stacks[job->rounds] + STACK_BYTES - 8;
        if (job->count >= job->value[0] + AT_ONCE) {
            leat_thread_yield();
            continue;
        }
        int64_t error = leat_thread_create(LEAT_SELF, (uint64_t)come_and_go, stack, (uint64_t)job,
                                           LEAT_PRIO_GUEST);
        if (error == LEAT_OK)
            job->count++;
        else if (error != LEAT_ENOMEM) /* those that have counted need not be buried yet */
            job->bad++;
        else
            leat_thread_yield();
    }
    job_exit(job); /* the domain ends with the last of the others */
}

static void check_threads(void)
{
    struct leat_domain_status status;
    struct child children[MOST_CPUS];
    for (unsigned i = 0; i < cpus; i++) {
        if (!child_make(&children[i], LEAT_PRIO_GUEST, i % 2 ? 1ull << i : 0))
            return;
        SHARED->jobs[i].rounds = cpus + i;
        child_run(&children[i], storm, i, LEAT_PRIO_GUEST);
    }
    for (unsigned i = 0; i < cpus; i++) {
        const struct job *job = &SHARED->jobs[i];
        if (check(child_is_told_dead(&children[i]), "domain %u does not end by itself", i))
            leat_notif_signal(children[i].death, 1); /* as child_end wants it */
        leat_domain_status(children[i].domain, &status);
        check(!status.alive && status.code == 0 && job->value[0] == THREADS && !job->bad,
              "domain %u: code %d, %u threads ran", i, (int)status.code, (unsigned)job->value[0]);
        child_end(&children[i]);
    }
}

/* Grants handle[0] to the domain of handle[1], whose job closes it: value[0] holds the handle until then. */
static void grant(struct job *job)
{
    while (SHARED->pause) /* until all are there */
        leat_thread_yield();
    uint64_t end = leat_clock_ns() + PATIENCE_NS;
    while ((job->count < GRANTS || job->rounds) && leat_clock_ns() < end) {
        if (job->value[0]) {
            job->bad += leat_handle_close((leat_handle_t)job->value[0]) != LEAT_OK ||
                        leat_handle_close((leat_handle_t)job->value[0]) != LEAT_EBADF;
            job->rounds--;
            job->value[0] = 0;
        }
        if (job->count < GRANTS && !job->peer->value[0]) {
            int64_t given = leat_handle_grant(job->handle[1], job->handle[0], LEAT_RIGHT_SIGNAL);
            job->bad += given <= 0;
            job->count++;
            job->peer->value[0] = (uint64_t)given;
        }
        leat_thread_yield();
    }
    job->value[1] = 1;
    for (;;) /* the others still need the domain */
        leat_notif_wait(job->handle[2], 1, LEAT_FOREVER);
}

static void check_grants(void)
{
    unsigned count = cpus < 2 ? 2 : cpus;
    struct child children[MOST_CPUS];
    leat_handle_t notif = (leat_handle_t)leat_notif_create();
    for (unsigned i = 0; i < count; i++)
        if (!child_make(&children[i], LEAT_PRIO_GUEST, 1ull << i % cpus))
            return;
    for (unsigned i = 0; i < count; i++) {
        struct job *job = &SHARED->jobs[i];
        struct child *next = &children[(i + 1) % count];
        job->handle[0] = child_give(&children[i], notif, LEAT_RIGHT_SIGNAL | LEAT_RIGHT_GRANT);
        job->handle[1] = child_give(&children[i], next->domain, LEAT_RIGHT_CONTROL);
        job->handle[2] = child_give(&children[i], notif, LEAT_RIGHT_WAIT);
        job->peer = &SHARED->jobs[(i + 1) % count];
        job->rounds = GRANTS;
    }
    SHARED->pause = 1;
    for (unsigned i = 0; i < count; i++)
        child_run(&children[i], grant, i, LEAT_PRIO_GUEST);
    SHARED->pause = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct job *job = &SHARED->jobs[i];
        check(SOON(job->value[1]) && job->count == GRANTS && !job->rounds && !job->bad,
              "domain %u: %u grants, %u handles not closed, %u errors", i, (unsigned)job->count,
              (unsigned)job->rounds, (unsigned)job->bad);
    }
    for (unsigned i = 0; i < count; i++)
        child_end(&children[i]);
    leat_handle_close(notif);
}

void test_storms(void)
{
    check_threads();
    check_grants();
}
