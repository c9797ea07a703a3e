// SPDX-License-Identifier: BSD-2-Clause
/* Weights and caps of domains, by themselves: simulated CPUs that always run whom the rules favour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include "kernel/share.h"

#define MS 1000000ull /* a tick is a nanosecond here */
#define SLICE (5 * MS)
#define ALL 3ull

static void set(struct share *share, uint32_t weight, uint32_t cap)
{
    struct leat_domain_sched wanted = {.weight = weight, .cap_permille = cap};
    share_init(share);
    assert_int_equal(share_set(share, &wanted, ALL, 0), LEAT_OK);
}

/* One CPU, always busy, for `ticks`; ran[i] gets each one's time. */
static void run(struct share *shares, unsigned count, uint64_t ticks, uint64_t *ran)
{
    for (uint64_t now = 0; now < ticks;) {
        struct share *best = NULL;
        uint64_t wake = now + SLICE;
        for (unsigned i = 0; i < count; i++) {
            struct share *s = &shares[i];
            if (s->is_capped && share_resume_at(s) <= now)
                share_resume(s, now, true);
            if (s->is_capped)
                wake = share_resume_at(s) < wake ? share_resume_at(s) : wake;
            else if (!best || share_is_before(s->vtime, best->vtime))
                best = s;
        }
        uint64_t stretch = best ? share_slice(best, SLICE) : wake - now;
        now += stretch;
        if (best) {
            ran[best - shares] += stretch;
            share_charge(best, stretch, now);
        }
    }
}

static void weights(void **state)
{
    (void)state;
    static const uint32_t weight[][2] = {{200, 100}, {100, 100}, {10000, 100}, {3, 1}, {700, 300}};
    for (unsigned i = 0; i < sizeof(weight) / sizeof(weight[0]); i++) {
        struct share shares[2];
        uint64_t ran[2] = {0};
        set(&shares[0], weight[i][0], 0);
        set(&shares[1], weight[i][1], 0);
        run(shares, 2, 100000 * MS, ran);
        double wanted = (double)weight[i][0] / weight[i][1], got = (double)ran[0] / (double)ran[1];
        assert_true(got > wanted * 0.98 && got < wanted * 1.02);
    }
}

/* The same where virtual times, seen as signed and as unsigned numbers, go from the largest to the smallest. */
static void wraps(void **state)
{
    (void)state;
    static const uint64_t starts[] = {INT64_MAX, UINT64_MAX};
    for (unsigned i = 0; i < 2; i++) {
        struct share shares[2];
        uint64_t ran[2] = {0};
        set(&shares[0], 300, 0);
        set(&shares[1], 100, 0);
        shares[0].vtime = shares[1].vtime = starts[i] - 1000 * MS;
        run(shares, 2, 8000 * MS, ran);
        assert_in_range(ran[0], 5900 * MS, 6100 * MS);
        uint64_t now = shares[0].vtime;
        assert_true(share_is_before(starts[i], now)); /* it has wrapped */
        share_catch_up(&shares[0], starts[i] - 1000 * MS);
        assert_int_equal(shares[0].vtime, now);
        share_catch_up(&shares[0], now + 1);
        assert_int_equal(shares[0].vtime, now + 1);
    }
}

static void caps(void **state)
{
    (void)state;
    static const uint32_t cap[] = {10, 100, 250, 500, 900};
    for (unsigned i = 0; i < sizeof(cap) / sizeof(cap[0]); i++) {
        struct share shares[2];
        uint64_t ran[2] = {0};
        set(&shares[0], 10000, cap[i]); /* it would take all of it */
        set(&shares[1], 1, 0);
        run(shares, 2, 10000 * MS, ran);
        int64_t permille = (int64_t)(ran[0] / (10 * MS));
        assert_in_range(permille, cap[i] - 5, cap[i] + 5);
        assert_true(shares[0].capped_ticks > 0);
    }
}

/* Overrunning does not pay: a stretch longer than the credit is paid for by a longer wait. */
static void overrun(void **state)
{
    (void)state;
    struct share share;
    uint64_t now = 0, ran = 0;
    set(&share, 100, 250);
    while (now < 10000 * MS) {
        now += 50 * MS;
        ran += 50 * MS;
        share_charge(&share, 50 * MS, now);
        if (share.is_capped) {
            now = share_resume_at(&share);
            share_resume(&share, now, true);
        }
    }
    assert_in_range(ran * 1000 / now, 245, 256);
}

/* An unused share is not saved up: after a long sleep a capped one has two periods' worth. */
static void no_hoard(void **state)
{
    (void)state;
    struct share share;
    set(&share, 100, 500);
    share_charge(&share, 0, 3600 * 1000 * MS);
    assert_int_equal(share.credit, (int64_t)(share_period));
    struct share sleeper, busy;
    set(&sleeper, 100, 0);
    set(&busy, 100, 0);
    busy.vtime = 1000 * MS;
    share_catch_up(&sleeper, busy.vtime - SLICE);
    assert_int_equal(sleeper.vtime, 995 * MS);
    share_catch_up(&busy, 990 * MS);
    assert_int_equal(busy.vtime, 1000 * MS);
}

static void refused(void **state)
{
    (void)state;
    static const struct leat_domain_sched bad[] = {
        {.weight = 0},
        {.weight = 10001},
        {.weight = 1, .cap_permille = 64001},
        {.weight = 1, .flags = 2},
        {.weight = 1, .cpus = 4}, /* not there */
    };
    struct share share, before;
    set(&share, 50, 250);
    before = share;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(share_set(&share, &bad[i], ALL, 5), LEAT_EINVAL);
        assert_memory_equal(&share, &before, sizeof(share));
    }
    struct leat_domain_sched good = {.weight = 1, .cpus = 6}; /* one of the two is */
    assert_int_equal(share_set(&share, &good, ALL, 5), LEAT_OK);
}

int main(void)
{
    share_period = 10 * MS;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights), cmocka_unit_test(wraps),    cmocka_unit_test(caps),
        cmocka_unit_test(overrun), cmocka_unit_test(no_hoard), cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
