// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/fake_block.h"

#include <stdlib.h>
#include <string.h>

void fake_block_begin(struct fake_block *f, uint64_t sectors, uint32_t sector_bytes)
{
    memset(f, 0, sizeof *f);
    f->bytes = calloc(sectors, sector_bytes);
    f->info = (struct block_device_info){.model = "fake",
                                         .sector_bytes = sector_bytes,
                                         .physical_bytes = sector_bytes,
                                         .sectors = sectors,
                                         .max_sectors = (64u << 10) / sector_bytes,
                                         .queue_depth = 4};
}

void fake_block_end(struct fake_block *f)
{
    free(f->bytes);
    f->bytes = NULL;
}

static const struct block_device_info *info(const void *state, unsigned unit)
{
    const struct fake_block *f = state;
    return unit == 0 && !f->is_gone ? &f->info : NULL;
}

static unsigned unit_count(const void *state)
{
    (void)state;
    return 1;
}

static int submit(void *state, unsigned unit, struct block_command *c)
{
    struct fake_block *f = state;
    if (unit != 0 || f->is_gone)
        return LEAT_EIO;
    if (c->op == BLOCK_FLUSH ? c->sectors != 0 || c->lba != 0
                             : c->sectors == 0 || c->sectors > f->info.max_sectors)
        return LEAT_EINVAL;
    if (c->lba > f->info.sectors || c->sectors > f->info.sectors - c->lba)
        return LEAT_ERANGE;
    c->next = f->waiting;
    f->waiting = c;
    f->given++;
    f->waiting_count++;
    if (f->waiting_count > f->most_waiting)
        f->most_waiting = f->waiting_count;
    if (c->sectors > f->most_sectors)
        f->most_sectors = c->sectors;
    return LEAT_OK;
}

static bool execute(struct fake_block *f, struct block_command *c)
{
    size_t bytes = (size_t)c->sectors * f->info.sector_bytes;
    uint8_t *at = f->bytes + c->lba * f->info.sector_bytes;
    if (f->is_gone)
        return false;
    if (f->fail) {
        f->fail--;
        return false;
    }
    switch (c->op) {
    case BLOCK_READ:
        f->reads++;
        memcpy(c->data, at, bytes);
        return true;
    case BLOCK_WRITE:
        f->writes++;
        f->fua_writes += c->fua;
        memcpy(at, c->data, bytes);
        return true;
    default:
        f->flushes++;
        return true;
    }
}

static bool interrupt(void *state)
{
    struct fake_block *f = state;
    struct block_command *c = f->waiting;
    bool had_any = c != NULL;
    f->waiting = NULL;
    f->waiting_count = 0;
    while (c) {
        struct block_command *next = c->next;
        c->done(c, execute(f, c));
        c = next;
    }
    return had_any;
}

static uint64_t tick(void *state)
{
    (void)state;
    return UINT64_MAX;
}

const struct block_driver fake_block_driver = {
    .name = "fake",
    .state_bytes = sizeof(struct fake_block),
    .unit_count = unit_count,
    .info = info,
    .submit = submit,
    .interrupt = interrupt,
    .tick = tick,
};
