// SPDX-License-Identifier: BSD-2-Clause
/*
 * What tests of drivers/block stand on: memory that devices reach, a clock, the driver's log, disks that remember what was
 * flushed, and commands whose ends are counted. Models of controllers (ata_model.h, ahci_model.h) use it.
 */
#ifndef TESTS_UNIT_BLOCK_WORLD_H
#define TESTS_UNIT_BLOCK_WORLD_H

#include "drivers/block/block.h"

#define WORLD_DMA_HPA 0x00300000ull /* the driver's area */
#define WORLD_DATA_HPA                                                                             \
    0x0ffff800ull /* of commands; not aligned to much, and over a multiple of 64 KiB */
#ifndef WORLD_DATA_BYTES
#define WORLD_DATA_BYTES (4u << 20)
#endif

struct block_world {
    uint8_t *dma, *data;
    uint64_t dma_bytes;
    uint64_t now_ns;
    void (*step)(struct block_world *world); /* the model's, whenever time passes */
    void *model;
    char log[4096];
    unsigned done_ok, done_bad; /* ends of commands of world_command() */
};

void world_init(struct block_world *world, uint64_t dma_bytes);
void world_free(struct block_world *world);
/* now_ns, delay_us and log of a platform whose context is the world. */
uint64_t world_now(void *context);
void world_delay(void *context, uint32_t us);
void world_log(void *context, const char *line);
struct block_dma world_dma(struct block_world *world);

/* What a device reaches at that address; aborts if it is neither in the area nor in the data. */
uint8_t *world_memory(struct block_world *world, uint64_t hpa, uint64_t bytes);
/* world_memory() is about to answer; a fuzzer has its own. */
void world_touched(struct block_world *world, uint64_t hpa, uint64_t bytes);
/* Aborts the test with a message: the driver broke a rule of the device. */
void world_require(bool truth, const char *what);

/* A disk that loses what was not flushed. */
struct world_disk {
    uint8_t *now, *durable;
    uint64_t sectors;
    uint32_t sector_bytes;
    unsigned flushes, discards;
    uint64_t discarded; /* sectors */
};
void disk_init(struct world_disk *disk, uint64_t sectors, uint32_t sector_bytes);
void disk_free(struct world_disk *disk);
void disk_flush(struct world_disk *disk);
void disk_make_durable(struct world_disk *disk, uint64_t lba, uint64_t sectors);
void disk_cut_power(struct world_disk *disk);
bool disk_has(const struct world_disk *disk, uint64_t lba, uint64_t sectors);

/* A command whose data begins at `offset` of the world's data. Ends are counted, and is_done is set in its owner. */
struct world_command {
    struct block_command command;
    struct block_world *world;
    unsigned ends;
    bool was_ok;
};
void world_command(struct block_world *world, struct world_command *wc, uint8_t op, uint64_t lba,
                   uint32_t sectors, uint32_t offset);

/* What a disk with a write cache, DMA and (with 48 bits) TRIM says to IDENTIFY DEVICE. */
void world_ata_words(uint16_t words[256], uint64_t sectors, bool has_48_bit);

void world_fill(uint8_t *bytes, size_t count, unsigned seed);

#endif
