// SPDX-License-Identifier: BSD-2-Clause
/*
 * Driver for AHCI 1.3.1 controllers (class 01 06 01). The unit's number is its port's.
 *
 * A disk with NCQ gets as many commands at a time as it and the controller take; flush, discard, and all commands of a disk
 * without NCQ run alone. After an error the port is stopped and started again; the disk's log tells which command failed,
 * and the others are repeated. A link that goes away is a disk pulled out: it is gone. If the same disk is back at once,
 * it may have lost its cache: the next flush fails if there are writes that none has covered. Packet devices and port
 * multipliers are left alone. Largest command: 1 MiB.
 *
 * DMA area: three pages for each port, as below.
 */
#ifndef DRIVERS_BLOCK_AHCI_H
#define DRIVERS_BLOCK_AHCI_H

#include "drivers/block/ahci_regs.h"
#include "drivers/block/ata_identify.h"
#include "drivers/block/core.h"

#define AHCI_MAX_BYTES (1u << 20)

enum ahci_memory { /* offsets in a port's part of the DMA area */
                   AHCI_AT_LIST = 0,
                   AHCI_AT_RECEIVED = 0x400,
                   AHCI_AT_TRIM = 0x600,
                   AHCI_AT_DATA = 0x800, /* of commands of the driver's own */
                   AHCI_AT_TABLES = 0x1000,
                   AHCI_TABLE_BYTES = 0x100,
                   AHCI_PORT_MEMORY = AHCI_AT_TABLES + AHCI_MAX_SLOTS * AHCI_TABLE_BYTES,
};
#define AHCI_DMA_BYTES (AHCI_MAX_PORTS * AHCI_PORT_MEMORY)

struct ahci_port {
    struct ahci *ahci;
    uint8_t number;
    bool is_there;
    bool is_queued;     /* what is under way is queued commands; else it is one that is not */
    bool is_alone;      /* one command is under way, and nothing may join it */
    bool has_unflushed; /* writes have ended since the last flush */
    bool has_lost;      /* and may be lost: the next flush fails */
    uint8_t depth;      /* slots that are used; 1: no NCQ */
    uint8_t *memory;    /* AHCI_PORT_MEMORY bytes */
    uint32_t memory_hpa;
    uint8_t silences;  /* time limits passed since the device ended a command */
    uint32_t issued;   /* a bit for each slot that the device has */
    uint64_t check_ns; /* when to look whether an interrupt was lost */
    struct ata_identity identity;
    struct block_command *slots[AHCI_MAX_SLOTS];
    struct block_queue waiting;
    struct block_queue idle; /* flushes that the device does not get: tick ends them */
};

struct ahci { /* private */
    struct block_platform platform;
    struct block_counters counters;
    bool is_started;
    bool has_ncq;
    uint8_t slot_count;
    uint8_t port_count; /* one more than the highest port's number */
    uint32_t port_bits; /* the ports that there are */
    struct ahci_port ports[AHCI_MAX_PORTS];
};

#endif
