// SPDX-License-Identifier: BSD-2-Clause
/* What an ATA device says about itself, checked; and what both ATA drivers send. */
#ifndef DRIVERS_BLOCK_ATA_IDENTIFY_H
#define DRIVERS_BLOCK_ATA_IDENTIFY_H

#include "drivers/block/ata_regs.h"
#include "drivers/block/block.h"

struct ata_identity {
    struct block_device_info info; /* max_sectors: what the device's commands can carry */
    bool has_48_bit, has_dma;
    bool has_flush, has_flush_ext;
    bool has_switchable_cache, has_cache_on; /* the write cache */
    bool has_trim;
    uint8_t queue_depth;    /* NCQ: 1 to 32; 0: none */
    uint8_t multiword_mode; /* the highest multiword DMA mode, 0 to 2; for want of any: 0xff */
    bool is_dma_mode_set;
};

/* The 512 bytes of IDENTIFY DEVICE, as they lie in memory; NULL, or why this is no disk that can be used. */
const char *ata_identify(struct ata_identity *identity, const uint8_t *data);

/* Is it the same device, of the same size? */
bool ata_is_same(const struct ata_identity *a, const struct ata_identity *b);

/* Registers of one command, and whether it has data. */
struct ata_taskfile {
    uint8_t command, device; /* device: without the number of the device */
    uint16_t feature, count;
    uint64_t lba;            /* 48 bits */
    bool is_48_bit;          /* features, count and LBA have their second half */
    bool has_data, is_write; /* data and its direction */
};

enum ata_phase { /* block_command.phase */
                 ATA_PHASE_FIRST = 0,
                 ATA_PHASE_FLUSH = 1, /* a FUA write without FUA: its flush */
                 ATA_PHASE_LOST = 2,  /* a flush that fails because of what was before it */
};
/* The command that does it; by DMA or by the CPU. */
struct ata_taskfile ata_build(const struct ata_identity *identity,
                              const struct block_command *command, bool is_dma);

/* A FUA write that has been written: is a flush still needed? */
bool ata_needs_flush(const struct ata_identity *identity, const struct block_command *command);

/* The list of DATA SET MANAGEMENT for one DISCARD, ATA_SECTOR bytes. */
#define ATA_TRIM_MAX_SECTORS (64u * 0xffffu)
void ata_trim_list(uint8_t *list, uint64_t lba, uint32_t sectors);

#endif
