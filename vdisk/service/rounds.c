// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/rounds.h"

void rounds_init(struct rounds *r)
{
    *r = (struct rounds){0, {.step_ns = ROUNDS_EMPTY_NS, .burst = ROUNDS_EMPTY_BURST}};
}

uint64_t rounds_next(struct rounds *r, bool has_moved, uint64_t now_ns)
{
    if (has_moved) {
        r->spare += r->spare < ROUNDS_SPARE;
        return 0;
    }
    if (r->spare) {
        r->spare--;
        return 0;
    }
    pace_take(&r->empty, now_ns);
    return pace_may(&r->empty, now_ns) ? 0 : pace_next_ns(&r->empty);
}
