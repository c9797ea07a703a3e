// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/cpu_text.h"

#include <stdio.h>

#define SET_BITS 64u

static unsigned run_end(uint64_t set, unsigned from)
{
    while (from + 1 < SET_BITS && (set >> (from + 1) & 1) != 0) {
        from++;
    }
    return from;
}

char *cpu_set_text(uint64_t set, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "none");
    for (unsigned i = 0; i < SET_BITS && used < size; i++) {
        unsigned last;

        if ((set >> i & 1) == 0) {
            continue;
        }
        last = run_end(set, i);
        used += (size_t)snprintf(text + used, size - used, last > i ? "%s%u-%u" : "%s%u",
                                 used != 0 ? "," : "", i, last);
        i = last;
    }
    return text;
}

uint64_t cpu_set_first(uint32_t count)
{
    return count >= SET_BITS ? UINT64_MAX : (1ull << count) - 1;
}

unsigned cpu_permille(uint64_t part_ns, uint64_t whole_ns)
{
    return whole_ns == 0 ? 0 : (unsigned)((part_ns * 1000 + whole_ns / 2) / whole_ns);
}
