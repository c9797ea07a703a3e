// SPDX-License-Identifier: BSD-2-Clause
/* Weights and caps, by the kernel's own account, and a SERVICE thread beside busy ones. */
#include <stdlib.h>

#include "lib/log.h"
#include "tests/system/smptest/smptest.h"

#define MEASURE_NS (1000 * MS)
#define SETTLE_NS (50 * MS)
#define STEADY_NS (100 * MS)
#define GAP_NS (MS / 5)
#define LOST_PERMILLE 20
#define SLICE_NS (5 * MS) /* of GUEST threads */

enum { HEAVY, LIGHT, CAPPED, CHILDREN };

static uint64_t lateness[WAKES];

static uint64_t cpu_ns(struct child *child)
{
    struct leat_domain_status status = {0};
    leat_domain_status(child->domain, &status);
    return status.cpu_ns;
}

/* An emulator's CPUs may be kept waiting by the host, which no kernel can make up for. Main, whom nobody else here
 * interrupts for long, sees that as gaps in its time, while the other CPUs are as busy. */
static bool is_steady(void)
{
    uint64_t start = leat_clock_ns(), last = start, lost = 0;
    while (last < start + STEADY_NS) {
        uint64_t now = leat_clock_ns();
        lost += now - last > GAP_NS ? now - last : 0;
        last = now;
    }
    unsigned permille = (unsigned)(lost * 1000 / (last - start));
    if (permille > LOST_PERMILLE)
        leat_log(
            "SKIP: the host keeps the machine's CPUs waiting (%u permille of the time): times are "
            "not judged",
            permille);
    return permille <= LOST_PERMILLE;
}

static void check_shares(struct child children[CHILDREN])
{
    bool is_judged = is_steady();
    uint64_t ran[CHILDREN], all = 0, start = leat_clock_ns();
    struct leat_domain_status status;
    for (unsigned i = 0; i < CHILDREN; i++)
        ran[i] = cpu_ns(&children[i]);
    nap(MEASURE_NS);
    uint64_t took = leat_clock_ns() - start;
    for (unsigned i = 0; i < CHILDREN; i++) {
        ran[i] = cpu_ns(&children[i]) - ran[i];
        all += ran[i];
    }
    unsigned ratio = (unsigned)(ran[HEAVY] * 1000 / (ran[LIGHT] + 1));
    unsigned capped = (unsigned)(ran[CAPPED] * 1000 / took);
    unsigned used = (unsigned)(all * 1000 / (took * cpus));
    leat_log(
        "weights 2:1 give %u.%03u:1; a cap of 250 permille gives %u; %u permille of all CPUs used",
        ratio / 1000, ratio % 1000, capped, used);
    leat_domain_status(children[CAPPED].domain, &status);
    /* On one CPU its weight alone gives it no more than its cap. */
    check(cpus == 1 || status.capped_ns > 0, "no time in which the cap made threads wait");
    check(ratio > 1200 && capped < 600, "weights or cap have no effect");
    if (!is_judged || !is_steady())
        return;
    check(ratio >= 1900 && ratio <= 2100, "weights 2:1 give %u:1000", ratio);
    check(capped >= 230 && capped <= 270, "a cap of 250 permille gives %u", capped);
    check(used >= 950 && used <= 1050, "%u permille of the CPUs' time were used", used);
}

/* late[]: how late it woke each time. */
static void wake_often(struct job *job)
{
    while (!job->stop) {
        uint64_t deadline = leat_clock_ns() + MS;
        leat_notif_wait(job->handle[0], 1, deadline);
        uint64_t late = leat_clock_ns() - deadline;
        if (job->count < WAKES)
            SHARED->late[job->count] = late;
        job->count++;
    }
    job_exit(job);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_service(unsigned job)
{
    struct child child;
    leat_handle_t notif = (leat_handle_t)leat_notif_create();
    if (!child_make(&child, LEAT_PRIO_SERVICE, 0))
        return;
    SHARED->jobs[job].handle[0] = child_give(&child, notif, LEAT_RIGHT_WAIT);
    child_run(&child, wake_often, job, LEAT_PRIO_SERVICE);
    check(SOON(SHARED->jobs[job].count >= WAKES), "the SERVICE thread wakes %u times only",
          (unsigned)SHARED->jobs[job].count);
    for (unsigned i = 0; i < WAKES; i++)
        lateness[i] = SHARED->late[i];
    qsort(lateness, WAKES, sizeof(lateness[0]), compare);
    leat_log("a SERVICE thread beside %u busy ones wakes late by us: quarter %u, half %u, most %u",
             job, (unsigned)(lateness[WAKES / 4] / 1000), (unsigned)(lateness[WAKES / 2] / 1000),
             (unsigned)(lateness[WAKES - 1] / 1000));
    /* An emulator's CPU may itself be kept waiting by its host: the quarter that was not shows what the kernel
       does. Behind busy threads it would be spread over a slice and more. */
    check(!is_steady() || lateness[WAKES / 4] < SLICE_NS / 5,
          "a SERVICE thread waits for busy GUEST threads");
    child_end(&child);
    leat_handle_close(notif);
}

void test_shares(void)
{
    static const struct {
        unsigned weight, cap;
    } shares[CHILDREN] = {{200, 0}, {100, 0}, {100, 250}};
    struct child children[CHILDREN];
    unsigned job = 0;
    for (unsigned i = 0; i < CHILDREN; i++) {
        if (!child_make(&children[i], LEAT_PRIO_GUEST, 0))
            return;
        child_share(&children[i], shares[i].weight, shares[i].cap, (1ull << cpus) - 1);
        for (unsigned n = 0; n < 2 * cpus; n++)
            child_run(&children[i], job_spin, job++, LEAT_PRIO_GUEST);
    }
    nap(SETTLE_NS);
    check_shares(children);
    check_service(job);
    for (unsigned i = 0; i < CHILDREN; i++)
        child_end(&children[i]);
}
