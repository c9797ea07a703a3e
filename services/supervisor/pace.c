// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/pace.h"

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
    pace->full_ns = (pace->full_ns > now_ns ? pace->full_ns : now_ns) + pace->step_ns;
    return true;
}
