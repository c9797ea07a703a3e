/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the block test. */
#ifndef TESTS_SYSTEM_BLOCKTEST_H
#define TESTS_SYSTEM_BLOCKTEST_H

#include "drivers/block/block.h"
#include "drivers/block/match.h"
#include "tests/guests/kernels/runtime/kernel.h"

/* Memory: the kernel ends below 8 MiB (its user page); the machine has 128 MiB at least. */
#define MEMORY_AT (16ull << 20)
#define MEMORY_END (112ull << 20)

struct controller {
    uint8_t bus, device, function;
    const struct block_match *match;
    const struct block_driver *driver;
    void *state;
    struct {
        bool is_port;
        uint64_t base;
        uint32_t bytes;
    } regions[BLOCK_REGION_COUNT];
};
#define MAX_CONTROLLERS 8u

/* -- pci.c -- */
/* Finds the controllers that a driver of the list (main.c) knows, and switches them on. */
unsigned find_controllers(struct controller *to, unsigned room,
                          const struct block_driver *const *drivers, unsigned count);
struct block_platform platform_of(struct controller *controller);
/* Page-aligned memory, zeroed; dies if there is no more. */
void *take_memory(uint64_t bytes);
uint64_t now_ns(void *context);

/* -- pattern.c: what the disks hold; test_block.py knows the same -- */
#define GRANULE 512u
/* `count` granules from `first` on, in generation g. */
void pattern_fill(uint8_t *at, uint64_t first, uint64_t count, unsigned g);
/* The first granule that is another, or UINT64_MAX. */
uint64_t pattern_find_wrong(const uint8_t *at, uint64_t first, uint64_t count, unsigned g);
bool is_scratch_disk(const uint8_t *first_sector);

#endif
