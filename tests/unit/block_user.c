// SPDX-License-Identifier: BSD-2-Clause
#include "block_user.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000000ull

static void step(struct block_world *world)
{
    (void)world;
}

void user_init(struct block_user *user, const struct block_driver *driver,
               const struct block_model *model)
{
    world_init(&user->world, driver->dma_bytes);
    user->world.step = step;
    user->driver = driver;
    user->state = aligned_alloc(16, (driver->state_bytes + 15) & ~(size_t)15);
    memset(user->state, 0, driver->state_bytes);
    user->model = model;
    user->lie = NULL;
}

void user_free(struct block_user *user)
{
    free(user->state);
    world_free(&user->world);
}

static uint64_t read_lies(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    struct block_user *user = context;

    if (offset + bytes > user->platform.region_bytes(user, region))
        abort();
    return user->lie(user->platform.read(user, region, offset, bytes), bytes);
}

static void write_inside(void *context, unsigned region, uint32_t offset, unsigned bytes,
                         uint64_t value)
{
    struct block_user *user = context;

    if (offset + bytes > user->platform.region_bytes(user, region))
        abort();
    user->platform.write(user, region, offset, bytes, value);
}

int user_start(struct block_user *user, const struct block_platform *given)
{
    struct block_platform platform = *given;
    struct block_dma dma = world_dma(&user->world);

    platform.context = user;
    platform.delay_us = world_delay;
    platform.now_ns = world_now;
    platform.log = world_log;
    user->platform = *given;
    if (user->lie)
        platform.read = read_lies, platform.write = write_inside;
    return user->driver->start(user->state, &platform, &dma);
}

const struct block_device_info *user_info(const struct block_user *user, unsigned unit)
{
    return user->driver->info(user->state, unit);
}

const struct block_counters *user_counters(const struct block_user *user)
{
    return user->driver->counters(user->state);
}

int user_submit(struct block_user *user, struct world_command *wc, unsigned unit, uint8_t op,
                uint64_t lba, uint32_t sectors, uint32_t offset)
{
    world_command(&user->world, wc, op, lba, sectors, offset);
    wc->command.tries = wc->command.phase = 0xff; /* the driver's: it sets them itself */
    return user->driver->submit(user->state, unit, &wc->command);
}

bool user_wait(struct block_user *user, struct world_command *wc, uint64_t limit_ms)
{
    struct block_world *world = &user->world;
    uint64_t limit_ns = world->now_ns + limit_ms * MS;

    while (!wc->ends && world->now_ns < limit_ns) {
        world->now_ns += 1000; /* looking takes time, too */
        if (user->model->irq(user)) {
            user->driver->interrupt(user->state);
            continue;
        }
        uint64_t next = user->driver->tick(user->state);
        next = next < limit_ns ? next : limit_ns;
        if (!wc->ends && !user->model->irq(user) && next > world->now_ns)
            world->now_ns = next;
    }
    world_require(wc->ends <= 1, "done() called twice");
    return wc->ends == 1 && wc->was_ok;
}

unsigned user_lines(const struct block_user *user)
{
    unsigned lines = 0;

    for (const char *c = user->world.log; *c; c++)
        lines += *c == '\n';
    return lines;
}

uint64_t user_ms_since(const struct block_user *user, uint64_t ns)
{
    return (user->world.now_ns - ns) / MS;
}
