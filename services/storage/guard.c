// SPDX-License-Identifier: BSD-2-Clause
#include "services/storage/guard.h"

#include <stdlib.h>

static bool changes_nothing(const struct block_command *c)
{
    return c->op == BLOCK_READ || c->op == BLOCK_FLUSH;
}

static bool is_inside(const struct guard *g, const struct block_command *c)
{
    return c->lba >= g->first && c->lba - g->first < g->sectors && c->sectors != 0 &&
           c->sectors <= g->sectors - (c->lba - g->first);
}

int guard_submit(const struct guard *guard, struct block_command *command)
{
    if (!changes_nothing(command) && !is_inside(guard, command))
        abort(); /* a defect of this service: whatever it believes now, it must not write */
    return guard->driver->submit(guard->state, guard->unit, command);
}
