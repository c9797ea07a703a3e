// SPDX-License-Identifier: BSD-2-Clause
#include "ata_fixture.h"

struct ata_model model;
struct ata ata;
const struct block_driver *const driver = &block_driver_ata;
struct ata_model_disk *disk;

static void make(void)
{
    ata_model_init(&model, &world);
    ata_model_add_disk(&model, 0, SECTORS, true);
    disk = &model.channels[0].disks[0];
}

static void unmake(void)
{
    ata_model_free(&model);
}

static struct block_platform platform(void)
{
    return ata_model_platform(&model);
}

static void pass(void)
{
    world_delay(&world, 100);
}

static bool irq(void)
{
    return ata_model_irq(&model);
}

const struct disk_fixture fixture = {
    .driver = &block_driver_ata,
    .state = &ata,
    .unit = 0,
    .make = make,
    .unmake = unmake,
    .platform = platform,
    .pass = pass,
    .irq = irq,
};

void fail_next(unsigned count, uint8_t status, uint8_t error)
{
    disk->fail_count = count;
    disk->fail_status = status;
    disk->fail_error = error;
}
