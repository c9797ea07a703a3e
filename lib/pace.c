// SPDX-License-Identifier: BSD-2-Clause
#include "lib/pace.h"

/* One step is added to full_ns for each taken, so the bucket holds (now + burst steps - full) / step. */
uint64_t pace_next_ns(const struct pace *pace)
{
    uint64_t room_ns = pace->step_ns * (pace->burst - 1);

    return pace->full_ns > room_ns ? pace->full_ns - room_ns : 0;
}

bool pace_may(const struct pace *pace, uint64_t now_ns)
{
    return now_ns >= pace_next_ns(pace);
}

bool pace_take(struct pace *pace, uint64_t now_ns)
{
    if (!pace_may(pace, now_ns)) {
        return false;
    }
    pace_take_many(pace, now_ns, 1);
    return true;
}

uint32_t pace_left(const struct pace *pace, uint64_t now_ns)
{
    uint64_t missing_ns = pace->full_ns > now_ns ? pace->full_ns - now_ns : 0;
    uint64_t missing = (missing_ns + pace->step_ns - 1) / pace->step_ns;

    return missing < pace->burst ? (uint32_t)(pace->burst - missing) : 0;
}

void pace_take_many(struct pace *pace, uint64_t now_ns, uint32_t count)
{
    pace->full_ns = (pace->full_ns > now_ns ? pace->full_ns : now_ns) + count * pace->step_ns;
}
