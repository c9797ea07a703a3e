// SPDX-License-Identifier: BSD-2-Clause
/* disk_fixture.h with the IDE driver. */
#ifndef TESTS_UNIT_ATA_FIXTURE_H
#define TESTS_UNIT_ATA_FIXTURE_H

#include "ata_model.h"
#include "disk_fixture.h"
#include "drivers/block/ata.h"

extern struct ata_model model;
extern struct ata ata;
extern const struct block_driver *const driver;
extern struct ata_model_disk *disk;

#endif
