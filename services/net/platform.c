// SPDX-License-Identifier: BSD-2-Clause
/* The service's surroundings in Leat. */
#include "services/net/platform.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/splitmix.h"

#include <cpuid.h>
#include <stdarg.h>
#include <stdio.h>

uint64_t net_now_ns(void)
{
    return leat_clock_ns();
}

void net_log(const char *format, ...)
{
    char line[LEAT_LOG_LINE + 1];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    leat_log("%s", line);
}

void net_panic(const char *what)
{
    leat_fatal("the network stack has failed: %s", what);
}

#define RDRAND_TRIES 10 /* SDM vol. 1, 7.3.17.1 */

static bool random_of_cpu(uint64_t *value)
{
    static int has_rdrand = -1;

    if (has_rdrand < 0) {
        unsigned a, b, c = 0, d;
        has_rdrand = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_RDRND);
    }
    for (int i = 0; has_rdrand && i < RDRAND_TRIES; i++) {
        bool ok;
        __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
        if (ok)
            return true;
    }
    return false;
}

/* A CPU without RDRAND: the time stamps of calls, which depend on packets, stirred by splitmix64. */
uint64_t net_random(void)
{
    static uint64_t state;
    uint64_t value = 0;

    if (random_of_cpu(&value))
        return value;
    return splitmix64_mix(state += leat_rdtsc() * SPLITMIX64_STEP + (uint64_t)leat_wall_clock_s());
}
