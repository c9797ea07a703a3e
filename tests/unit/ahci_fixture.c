// SPDX-License-Identifier: BSD-2-Clause
#include "ahci_fixture.h"

#include <string.h>

struct block_world world;
struct ahci_model model;
struct ahci ahci;
const struct block_driver *const driver = &block_driver_ahci;
struct ahci_model_port *port;

int start(void)
{
    struct block_platform platform = ahci_model_platform(&model);
    struct block_dma dma = world_dma(&world);
    int error = driver->start(&ahci, &platform, &dma);

    world.log[0] = 0;
    return error;
}

int setup(void **state)
{
    (void)state;
    world_init(&world, AHCI_DMA_BYTES);
    ahci_model_init(&model, &world);
    ahci_model_add_disk(&model, UNIT, SECTORS, 32);
    port = &model.ports[UNIT];
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
    ahci_model_free(&model);
    world_free(&world);
    return 0;
}

void pump(unsigned ends, uint32_t ms)
{
    uint64_t until = world.now_ns + ms * 1000000ull;

    while (world.done_ok + world.done_bad < ends && world.now_ns < until) {
        world.now_ns += 100000;
        for (unsigned i = 0; i < 6; i++)
            ahci_model_run_one(&model, i);
        if (ahci_model_irq(&model))
            driver->interrupt(&ahci);
        driver->tick(&ahci);
    }
}

bool run(struct world_command *wc, unsigned unit, uint32_t ms)
{
    unsigned ends = world.done_ok + world.done_bad + 1;

    assert_int_equal(driver->submit(&ahci, unit, &wc->command), LEAT_OK);
    assert_int_equal(wc->ends, 0);
    pump(ends, ms);
    assert_int_equal(wc->ends, 1);
    return wc->was_ok;
}

bool simple(uint8_t op, uint64_t lba, uint32_t sectors)
{
    struct world_command wc;

    world_command(&world, &wc, op, lba, sectors, 0);
    return run(&wc, UNIT, 200000);
}

void submit_many(struct world_command *wc, unsigned count, uint8_t op)
{
    for (unsigned i = 0; i < count; i++) {
        if (op == BLOCK_WRITE)
            world_fill(world.data + i * 1024, 1024, i);
        world_command(&world, &wc[i], op, 2 * i, 2, i * 1024);
        assert_int_equal(driver->submit(&ahci, UNIT, &wc[i].command), LEAT_OK);
    }
}

void fail_next(unsigned count, uint8_t status, uint8_t error)
{
    port->fail_count = count;
    port->fail_status = status;
    port->fail_error = error;
}
