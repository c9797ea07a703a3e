// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of the IDE driver share: the driver on a model with a disk. */
#ifndef TESTS_UNIT_ATA_FIXTURE_H
#define TESTS_UNIT_ATA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ata_model.h"
#include "drivers/block/ata.h"

#define SECTORS 8192u

extern struct block_world world;
extern struct ata_model model;
extern struct ata ata;
extern const struct block_driver *const driver;
extern struct ata_model_disk *disk;

/* Starts the driver, and forgets what it logged. */
int start(void);
int setup(void **state);
int setup_started(void **state);
int teardown(void **state);
/* Time passes, the model and the driver run, until so many commands have ended, or for `ms`. */
void pump(unsigned ends, uint32_t ms);
/* Submits it and waits for its end, at most `ms`: how it ended. */
bool run(struct world_command *wc, unsigned unit, uint32_t ms);
/* The same for a command of the disk that setup() has made. */
bool simple(uint8_t op, uint64_t lba, uint32_t sectors);
/* So many of the disk's next commands end with these registers. */
void fail_next(unsigned count, uint8_t status, uint8_t error);

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TS(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)

#endif
