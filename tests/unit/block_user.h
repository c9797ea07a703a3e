// SPDX-License-Identifier: BSD-2-Clause
/* A user of a storage driver in a block_world: starts it, submits, and lets time pass as the driver wants it. */
#ifndef TESTS_UNIT_BLOCK_USER_H
#define TESTS_UNIT_BLOCK_USER_H

#include "block_world.h"

struct block_user {
    struct block_world world; /* first: the platform's context */
    const struct block_driver *driver;
    void *state;
    bool (*irq)(struct block_user *user); /* the interrupt line */
    /* Of a device that lies: what the driver reads instead. NULL: the truth. */
    uint64_t (*lie)(uint64_t value, unsigned bytes);
    struct block_platform model;
};

/* Makes the world, too. */
void user_init(struct block_user *user, const struct block_driver *driver,
               bool (*irq)(struct block_user *user));
void user_free(struct block_user *user);

/* read, write, region_bytes and config_read come from the model. */
int user_start(struct block_user *user, const struct block_platform *model);
const struct block_device_info *user_info(const struct block_user *user, unsigned unit);
const struct block_counters *user_counters(const struct block_user *user);

/* LEAT_OK: taken. */
int user_submit(struct block_user *user, struct world_command *wc, unsigned unit, uint8_t op,
                uint64_t lba, uint32_t sectors, uint32_t offset);
/* Until it has ended, or that much time has passed. True: it has ended, with success. */
bool user_wait(struct block_user *user, struct world_command *wc, uint64_t limit_ms);
/* Lines in the log so far. */
unsigned user_lines(const struct block_user *user);
uint64_t user_ms_since(const struct block_user *user, uint64_t ns);

#endif
