// SPDX-License-Identifier: BSD-2-Clause
/* Threads keep their general, x87, SSE and AVX registers, wherever they run and whoever runs in between. */
#include "tests/system/smptest/smptest.h"

#define TURNS 150
#define TURN_NS (2 * MS)

/* Uses the same registers now and then, at a priority of its own. */
static void stir(struct job *job)
{
    while (!job->stop) {
        __asm__ volatile("pcmpeqd %%xmm7, %%xmm7; fninit" ::: "xmm7");
        leat_notif_wait(job->handle[0], 1, leat_clock_ns() + 300000);
        job->count++;
    }
    job_exit(job);
}

void test_registers(void)
{
    struct child children[2];
    unsigned count =
        3 * cpus; /* two thirds in the first domain, one in the second, a stirrer in each */
    for (unsigned i = 0; i < 2; i++) {
        leat_handle_t notif = (leat_handle_t)leat_notif_create();
        if (!child_make(&children[i], LEAT_PRIO_DEVICE, 0))
            return;
        SHARED->jobs[count + i].handle[0] = child_give(&children[i], notif, LEAT_RIGHT_WAIT);
        leat_handle_close(notif);
        child_run(&children[i], stir, count + i, LEAT_PRIO_DEVICE);
    }
    for (unsigned i = 0; i < count; i++) {
        hold_fill(&SHARED->holds[i], i + 1);
        child_run(&children[i % 3 == 0], job_hold, i, LEAT_PRIO_GUEST);
    }
    for (unsigned turn = 0; turn < TURNS; turn++) {
        uint64_t all = (1ull << cpus) - 1, on = any_number() & all;
        child_share(&children[turn % 2], LEAT_SCHED_WEIGHT, 0, on ? on : all);
        nap(TURN_NS);
    }
    for (unsigned i = 0; i < 2; i++)
        child_share(&children[i], LEAT_SCHED_WEIGHT, 0, 0);
    for (unsigned i = 0; i < count; i++) {
        struct hold *hold = &SHARED->holds[i];
        uint64_t before = hold->count;
        check(SOON(hold->count > before), "thread %u stands still", i);
        check(!hold->bad, "thread %u has lost registers %u times in %u looks", i,
              (unsigned)hold->bad, (unsigned)hold->count);
    }
    for (unsigned i = 0; i < 2; i++)
        child_end(&children[i]);
}
