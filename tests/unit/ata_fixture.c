// SPDX-License-Identifier: BSD-2-Clause
#include "ata_fixture.h"

#include <string.h>

struct block_world world;
struct ata_model model;
struct ata ata;
const struct block_driver *const driver = &block_driver_ata;
struct ata_model_disk *disk;

int start(void)
{
    struct block_platform platform = ata_model_platform(&model);
    struct block_dma dma = world_dma(&world);
    int error = driver->start(&ata, &platform, &dma);

    world.log[0] = 0;
    return error;
}

int setup(void **state)
{
    (void)state;
    world_init(&world, ATA_DMA_BYTES);
    ata_model_init(&model, &world);
    ata_model_add_disk(&model, 0, SECTORS, true);
    disk = &model.channels[0].disks[0];
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
    ata_model_free(&model);
    world_free(&world);
    return 0;
}

void pump(unsigned ends, uint32_t ms)
{
    uint64_t until = world.now_ns + ms * 1000000ull;

    while (world.done_ok + world.done_bad < ends && world.now_ns < until) {
        world_delay(&world, 100);
        if (ata_model_irq(&model))
            driver->interrupt(&ata);
        driver->tick(&ata);
    }
}

bool run(struct world_command *wc, unsigned unit, uint32_t ms)
{
    unsigned ends = world.done_ok + world.done_bad + 1;

    assert_int_equal(driver->submit(&ata, unit, &wc->command), LEAT_OK);
    assert_int_equal(wc->ends, 0);
    pump(ends, ms);
    assert_int_equal(wc->ends, 1);
    return wc->was_ok;
}

bool simple(uint8_t op, uint64_t lba, uint32_t sectors)
{
    struct world_command wc;

    world_command(&world, &wc, op, lba, sectors, 0);
    return run(&wc, 0, 200000);
}

void fail_next(unsigned count, uint8_t status, uint8_t error)
{
    disk->fail_count = count;
    disk->fail_status = status;
    disk->fail_error = error;
}
