// SPDX-License-Identifier: BSD-2-Clause
#include "ahci_fixture.h"

struct ahci_model model;
struct ahci ahci;
const struct block_driver *const driver = &block_driver_ahci;
struct ahci_model_port *port;

static void make(void)
{
    ahci_model_init(&model, &world);
    ahci_model_add_disk(&model, UNIT, SECTORS, 32);
    port = &model.ports[UNIT];
}

static void unmake(void)
{
    ahci_model_free(&model);
}

static struct block_platform platform(void)
{
    return ahci_model_platform(&model);
}

static void pass(void)
{
    world.now_ns += 100000;
    for (unsigned i = 0; i < 6; i++)
        ahci_model_run_one(&model, i);
}

static bool irq(void)
{
    return ahci_model_irq(&model);
}

const struct disk_fixture fixture = {
    .driver = &block_driver_ahci,
    .state = &ahci,
    .unit = UNIT,
    .make = make,
    .unmake = unmake,
    .platform = platform,
    .pass = pass,
    .irq = irq,
};

void fail_next(unsigned count, uint8_t status, uint8_t error)
{
    port->fail_count = count;
    port->fail_status = status;
    port->fail_error = error;
}
