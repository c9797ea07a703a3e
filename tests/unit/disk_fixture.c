// SPDX-License-Identifier: BSD-2-Clause
#include "disk_fixture.h"

struct block_world world;

int start(void)
{
    struct block_platform platform = fixture.platform();
    struct block_dma dma = world_dma(&world);
    int error = fixture.driver->start(fixture.state, &platform, &dma);

    world.log[0] = 0;
    return error;
}

int setup(void **state)
{
    (void)state;
    world_init(&world, fixture.driver->dma_bytes);
    fixture.make();
    return 0;
}

int setup_started(void **state)
{
    setup(state);
    return start();
}

int teardown(void **state)
{
    (void)state;
    fixture.unmake();
    world_free(&world);
    return 0;
}

void pump(unsigned ends, uint32_t ms)
{
    uint64_t until = world.now_ns + ms * 1000000ull;

    while (world.done_ok + world.done_bad < ends && world.now_ns < until) {
        fixture.pass();
        if (fixture.irq())
            fixture.driver->interrupt(fixture.state);
        fixture.driver->tick(fixture.state);
    }
}

static void submit(struct world_command *wc, unsigned unit)
{
    assert_int_equal(fixture.driver->submit(fixture.state, unit, &wc->command), LEAT_OK);
}

bool run(struct world_command *wc, unsigned unit, uint32_t ms)
{
    unsigned ends = world.done_ok + world.done_bad + 1;

    submit(wc, unit);
    assert_int_equal(wc->ends, 0);
    pump(ends, ms);
    assert_int_equal(wc->ends, 1);
    return wc->was_ok;
}

bool simple(uint8_t op, uint64_t lba, uint32_t sectors)
{
    struct world_command wc;

    world_command(&world, &wc, op, lba, sectors, 0);
    return run(&wc, fixture.unit, 200000);
}

void submit_many(struct world_command *wc, unsigned count, uint8_t op)
{
    for (unsigned i = 0; i < count; i++) {
        if (op == BLOCK_WRITE)
            world_fill(world.data + i * 1024, 1024, i);
        world_command(&world, &wc[i], op, 2 * i, 2, i * 1024);
        submit(&wc[i], fixture.unit);
    }
}
