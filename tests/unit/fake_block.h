// SPDX-License-Identifier: BSD-2-Clause
/*
 * A storage driver (drivers/block/block.h) whose device is memory: commands wait until interrupt() is called, and end
 * there, the last one first. For unit tests.
 */
#ifndef TESTS_FAKE_BLOCK_H
#define TESTS_FAKE_BLOCK_H

#include "drivers/block/block.h"

struct fake_block {
    struct block_device_info info;
    uint8_t *bytes;
    struct block_command *waiting;
    unsigned given, reads, writes, flushes, fua_writes, most_waiting, waiting_count;
    uint32_t most_sectors;
    unsigned fail; /* so many of the next commands */
    bool is_gone;
};

extern const struct block_driver fake_block_driver;

void fake_block_begin(struct fake_block *f, uint64_t sectors, uint32_t sector_bytes);
void fake_block_end(struct fake_block *f);

#endif
