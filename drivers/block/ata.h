// SPDX-License-Identifier: BSD-2-Clause
/*
 * Driver for IDE controllers in compatibility mode (class 01 01, both channels at their old ports, bus mastering by
 * SFF-8038i in BAR 4): PIIX3 and PIIX4 as in Bochs and QEMU. Units: 0 and 1 on the first channel, 2 and 3 on the second.
 *
 * One command at a time on each channel, by DMA; by the CPU, sector by sector, where controller or device has no DMA.
 * Packet devices (CD-ROM) see the channel's reset, and are left alone otherwise. Times of the cable's transfer modes are
 * the firmware's; a device without a DMA mode gets multiword DMA, whose pace the controller sets.
 *
 * DMA area: a page for each channel, the table of the transfer and the list of a DISCARD. Largest command: 1 MiB.
 */
#ifndef DRIVERS_BLOCK_ATA_H
#define DRIVERS_BLOCK_ATA_H

#include "drivers/block/ata_identify.h"
#include "drivers/block/core.h"

#define ATA_CHANNELS 2u
#define ATA_DEVICES 2u /* of a channel */
#define ATA_UNITS (ATA_CHANNELS * ATA_DEVICES)
#define ATA_MAX_BYTES (1u << 20)
#define ATA_DMA_BYTES (ATA_CHANNELS * 4096u)

struct ata_device {
    struct ata_identity identity;
    bool is_there, uses_dma;
    uint8_t silences; /* time limits passed since it ended a command */
};

enum ata_issued {
    ATA_ISSUED,  /* the device has it */
    ATA_STUCK,   /* the device was not ready for it: tick resets it */
    ATA_NOTHING, /* a flush that has nothing to do: tick ends it */
};

struct ata_channel {
    struct ata *ata;
    uint8_t number;
    uint8_t selected; /* ATA_DEVICES: not known */
    bool has_dma;     /* the controller's part */
    uint8_t issued;   /* enum ata_issued: of `current` */
    uint8_t *table;   /* the channel's page of the DMA area */
    uint32_t table_hpa;
    struct ata_device devices[ATA_DEVICES];
    struct block_queue waiting;
    struct block_command *current;
    uint64_t check_ns; /* when to look whether its interrupt was lost */
    uint32_t moved;    /* by the CPU: sectors so far */
    bool is_by_cpu;    /* how its data moves */
};

struct ata { /* private */
    struct block_platform platform;
    struct block_counters counters;
    bool is_started;
    struct ata_channel channels[ATA_CHANNELS];
};

#endif
