// SPDX-License-Identifier: BSD-2-Clause
/* A user of a storage driver in a block_world: starts it, submits, and lets time pass as the driver wants it. */
#ifndef TESTS_UNIT_BLOCK_USER_H
#define TESTS_UNIT_BLOCK_USER_H

#include "block_world.h"

struct block_user;

/* A model of a controller with one queue, as tests of any such driver see it. */
struct block_model {
    bool (*irq)(struct block_user *user); /* the interrupt line */
    uint8_t *(*content)(struct block_user *user, unsigned unit);
    /* Commands of this kind (enum block_op) that it was given. */
    unsigned (*seen)(struct block_user *user, uint8_t op);
    void (*complete)(struct block_user *user, unsigned index); /* one of what it holds */
    void (*crash)(struct block_user *user);                    /* only a reset helps */
    /* So many commands end with an error that may pass. */
    void (*fail_next)(struct block_user *user, unsigned count);
    /* Which of the faults that only it knows come next; any number. */
    void (*trouble)(struct block_user *user, unsigned fault);
};

struct block_user {
    struct block_world world; /* first: the platform's context */
    const struct block_model *model;
    const struct block_driver *driver;
    void *state;
    /* Of a device that lies: what the driver reads instead. NULL: the truth. */
    uint64_t (*lie)(uint64_t value, unsigned bytes);
    struct block_platform platform;
    /* What every model can do wrong, and what it holds. */
    bool is_gone, irq_is_lost, is_slow; /* slow: it holds what it is given until it is told */
    unsigned swallow;                   /* so many commands are taken and forgotten */
    unsigned fail_count;                /* so many commands end with the model's fail_status */
    unsigned held_count;                /* taken, not completed */
};

/* Makes the world, too. */
void user_init(struct block_user *user, const struct block_driver *driver,
               const struct block_model *model);
void user_free(struct block_user *user);

/* `given`: read, write, region_bytes and config_read, which are the model's. */
int user_start(struct block_user *user, const struct block_platform *given);
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
