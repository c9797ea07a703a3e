// SPDX-License-Identifier: BSD-2-Clause
/* What the tests of the IDE and AHCI drivers share: the driver on a model with a disk. The driver and
   the model are those of `fixture`, which ata_fixture.c and ahci_fixture.c define. */
#ifndef TESTS_UNIT_DISK_FIXTURE_H
#define TESTS_UNIT_DISK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "block_world.h"

#define SECTORS 8192u

struct disk_fixture {
    const struct block_driver *driver;
    void *state;
    unsigned unit;      /* of the disk */
    void (*make)(void); /* the model, with a disk of SECTORS, in `world` */
    void (*unmake)(void);
    struct block_platform (*platform)(void);
    void (*pass)(void); /* 100 us, in which the model works */
    bool (*irq)(void);
};
extern const struct disk_fixture fixture;
extern struct block_world world;

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
