// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of the AHCI driver share: the driver on a model with a disk. */
#ifndef TESTS_UNIT_AHCI_FIXTURE_H
#define TESTS_UNIT_AHCI_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ahci_model.h"
#include "drivers/block/ahci.h"

#define SECTORS 8192u
#define UNIT 2u
#define ERR ATA_STATUS_ERR

extern struct block_world world;
extern struct ahci_model model;
extern struct ahci ahci;
extern const struct block_driver *const driver;
extern struct ahci_model_port *port;

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
/* So many of two sectors each, one behind the other; writes have each their own pattern. */
void submit_many(struct world_command *wc, unsigned count, uint8_t op);
/* So many of the disk's next commands end with these registers. */
void fail_next(unsigned count, uint8_t status, uint8_t error);

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TS(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)

#endif
