// SPDX-License-Identifier: BSD-2-Clause
#include "block_world.h"
#include "drivers/block/ata_regs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A fuzzer has its own. */
__attribute__((weak)) void world_require(bool truth, const char *what)
{
    if (!truth) {
        fprintf(stderr, "the driver broke a rule: %s\n", what);
        abort();
    }
}

__attribute__((weak)) void world_touched(struct block_world *world, uint64_t hpa, uint64_t bytes)
{
    (void)world, (void)hpa, (void)bytes;
}

void world_init(struct block_world *world, uint64_t dma_bytes)
{
    memset(world, 0, sizeof(*world));
    world->dma_bytes = dma_bytes;
    world->dma = aligned_alloc(4096, dma_bytes);
    world->data = aligned_alloc(4096, WORLD_DATA_BYTES);
    memset(world->dma, 0xee, dma_bytes);
    memset(world->data, 0xdd, WORLD_DATA_BYTES);
    world->now_ns = 1000;
}

void world_free(struct block_world *world)
{
    free(world->dma);
    free(world->data);
}

uint64_t world_now(void *context)
{
    return ((struct block_world *)context)->now_ns;
}

void world_delay(void *context, uint32_t us)
{
    struct block_world *world = context;

    world->now_ns += us * 1000ull;
    world->step(world);
}

void world_log(void *context, const char *line)
{
    struct block_world *world = context;
    size_t used = strlen(world->log);

    snprintf(world->log + used, sizeof(world->log) - used, "%s\n", line);
}

struct block_dma world_dma(struct block_world *world)
{
    return (struct block_dma){world->dma, WORLD_DMA_HPA, world->dma_bytes};
}

uint8_t *world_memory(struct block_world *world, uint64_t hpa, uint64_t bytes)
{
    if (hpa >= WORLD_DMA_HPA && bytes <= world->dma_bytes &&
        hpa - WORLD_DMA_HPA <= world->dma_bytes - bytes) {
        world_touched(world, hpa, bytes);
        return world->dma + (hpa - WORLD_DMA_HPA);
    }
    world_require(hpa >= WORLD_DATA_HPA && bytes <= WORLD_DATA_BYTES &&
                      hpa - WORLD_DATA_HPA <= WORLD_DATA_BYTES - bytes,
                  "DMA outside of the area and the data");
    world_touched(world, hpa, bytes);
    return world->data + (hpa - WORLD_DATA_HPA);
}

void disk_init(struct world_disk *disk, uint64_t sectors, uint32_t sector_bytes)
{
    memset(disk, 0, sizeof(*disk));
    disk->sectors = sectors;
    disk->sector_bytes = sector_bytes;
    disk->now = calloc(sectors, sector_bytes);
    disk->durable = calloc(sectors, sector_bytes);
}

void disk_free(struct world_disk *disk)
{
    free(disk->now);
    free(disk->durable);
    disk->now = disk->durable = NULL;
}

void disk_flush(struct world_disk *disk)
{
    memcpy(disk->durable, disk->now, disk->sectors * disk->sector_bytes);
    disk->flushes++;
}

void disk_make_durable(struct world_disk *disk, uint64_t lba, uint64_t sectors)
{
    uint64_t at = lba * disk->sector_bytes;

    memcpy(disk->durable + at, disk->now + at, sectors * disk->sector_bytes);
}

void disk_cut_power(struct world_disk *disk)
{
    memcpy(disk->now, disk->durable, disk->sectors * disk->sector_bytes);
}

bool disk_has(const struct world_disk *disk, uint64_t lba, uint64_t sectors)
{
    return lba < disk->sectors && sectors <= disk->sectors - lba;
}

static void on_done(struct block_command *command, bool is_ok)
{
    struct world_command *wc = command->owner;

    wc->ends++;
    wc->was_ok = is_ok;
    if (is_ok)
        wc->world->done_ok++;
    else
        wc->world->done_bad++;
}

void world_command(struct block_world *world, struct world_command *wc, uint8_t op, uint64_t lba,
                   uint32_t sectors, uint32_t offset)
{
    memset(wc, 0, sizeof(*wc));
    wc->world = world;
    wc->command = (struct block_command){
        .op = op,
        .lba = lba,
        .sectors = sectors,
        .data = world->data + offset,
        .data_hpa = WORLD_DATA_HPA + offset,
        .done = on_done,
        .owner = wc,
    };
}

void world_fill(uint8_t *bytes, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(seed * 37 + i * 11 + (i >> 9) * 5);
}

static void put_name(uint16_t *words, unsigned count, const char *name)
{
    size_t length = strlen(name);

    for (unsigned i = 0; i < 2 * count; i++) {
        uint8_t c = i < length ? (uint8_t)name[i] : ' ';
        words[i / 2] |= (uint16_t)(i % 2 ? c : c << 8);
    }
}

void world_ata_words(uint16_t w[256], uint64_t sectors, bool has_48_bit)
{
    put_name(w + ATA_ID_MODEL, 20, "MODEL DISK");
    put_name(w + ATA_ID_SERIAL, 10, "   S-0815");
    put_name(w + ATA_ID_FIRMWARE, 4, "1.0");
    w[ATA_ID_CAPABILITIES] = 0x300;
    w[ATA_ID_VALID] = 7;
    w[ATA_ID_SECTORS_28] = (uint16_t)sectors;
    w[ATA_ID_SECTORS_28 + 1] = (uint16_t)(sectors >> 16);
    w[ATA_ID_MULTIWORD] = 7;
    w[ATA_ID_SUPPORTED_82] = 0x20;
    w[ATA_ID_SUPPORTED_83] = 0x5000;
    w[ATA_ID_SUPPORTED_84] = 0x4000;
    w[ATA_ID_ULTRA_DMA] = 0x203f; /* mode 5 is on */
    if (!has_48_bit)
        return;
    w[ATA_ID_SUPPORTED_83] = 0x7400;
    w[ATA_ID_SECTORS_48] = (uint16_t)sectors;
    w[ATA_ID_SECTORS_48 + 1] = (uint16_t)(sectors >> 16);
    w[ATA_ID_DSM] = 1;
}
