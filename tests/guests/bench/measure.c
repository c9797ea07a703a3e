/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/bench/bench.h"

uint64_t ticks[ROUNDS];
static uint64_t overhead;

static void sort(unsigned count)
{
    for (unsigned gap = count / 2; gap; gap /= 2)
        for (unsigned i = gap; i < count; i++) {
            uint64_t value = ticks[i];
            unsigned j = i;
            for (; j >= gap && ticks[j - gap] > value; j -= gap)
                ticks[j] = ticks[j - gap];
            ticks[j] = value;
        }
}

uint64_t middle(unsigned rounds)
{
    sort(rounds);
    return ticks[rounds / 2];
}

void measure_init(void)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = now();
        ticks[i] = now() - start;
    }
    overhead = middle(ROUNDS);
}

void report_spread(const char *name, unsigned rounds)
{
    sort(rounds);
    say("%s %u %u %u %u %u %u %u", name, now(), ticks[0], ticks[rounds / 2],
        ticks[rounds * 90 / 100], ticks[rounds * 99 / 100], ticks[rounds - 1], (uint64_t)rounds);
}

void report(const char *name, unsigned rounds)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < rounds; i++) {
        ticks[i] -= ticks[i] < overhead ? ticks[i] : overhead;
        sum += ticks[i];
    }
    sort(rounds);
    say("BENCH %s %u %u %u %u", name, ticks[0], ticks[rounds / 2], sum / rounds, (uint64_t)rounds);
}
