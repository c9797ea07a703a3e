// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/timeline.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/sys.h"
#include "services/supervisor/machine.h"

static struct timeline_mark marks[TIMELINE_MARKS];
static unsigned mark_count;

static void mark(uint64_t tsc, const char *what)
{
    const struct leat_boot_info *info = machine_boot_info();
    uint64_t ticks = tsc > info->tsc_at_start ? tsc - info->tsc_at_start : 0;
    uint64_t ticks_in_ms = info->tsc_hz / 1000;
    struct timeline_mark *next = &marks[mark_count];

    if (mark_count == TIMELINE_MARKS || ticks_in_ms == 0) {
        return;
    }
    mark_count++;
    next->ms = ticks / ticks_in_ms;
    snprintf(next->what, sizeof(next->what), "%s", what);
}

void timeline_init(void)
{
    mark(machine_boot_info()->tsc_at_exit, "firmware left");
    mark(leat_info()->tsc_base, "kernel");
    timeline_mark("supervisor");
}

void timeline_mark(const char *what)
{
    for (unsigned i = 0; i < mark_count; i++) {
        if (strncmp(marks[i].what, what, sizeof(marks[i].what) - 1) == 0) {
            return;
        }
    }
    mark(leat_rdtsc(), what);
}

const struct timeline_mark *timeline_marks(unsigned *count)
{
    *count = mark_count;
    return marks;
}
