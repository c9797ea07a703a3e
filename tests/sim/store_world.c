// SPDX-License-Identifier: BSD-2-Clause
/* Chance, time and failure of the store's own simulator, which has a disk and no network. */
#include "tests/sim/store_sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/splitmix.h"

bool sim_verbose;
struct sim_profile sim_profile; /* the model looks at it: an image without holes */
static uint64_t seed_now, chance, time_ns, ticks;

_Noreturn void sim_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "seed %llu: ", (unsigned long long)seed_now);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\nrepeat it: test_store_sim --seed %llu --verbose\n",
            (unsigned long long)seed_now);
    va_end(args);
    exit(1);
}

uint64_t sim_random(void)
{
    return splitmix64(&chance);
}

uint64_t sim_tick(void)
{
    return ++ticks;
}

uint64_t sim_now(void)
{
    return time_ns;
}

void sim_wait(uint64_t until_ns)
{
    if (until_ns > time_ns)
        time_ns = until_ns;
}

void store_world_init(uint64_t seed)
{
    seed_now = seed;
    chance = seed * 0x2545f4914f6cdd1dull + 1;
    time_ns = 1;
    ticks = 0;
}
