// SPDX-License-Identifier: BSD-2-Clause
/* disk_fixture.h with the AHCI driver. */
#ifndef TESTS_UNIT_AHCI_FIXTURE_H
#define TESTS_UNIT_AHCI_FIXTURE_H

#include "ahci_model.h"
#include "disk_fixture.h"
#include "drivers/block/ahci.h"

#define UNIT 2u
#define ERR ATA_STATUS_ERR

extern struct ahci_model model;
extern struct ahci ahci;
extern const struct block_driver *const driver;
extern struct ahci_model_port *port;

#endif
