// SPDX-License-Identifier: BSD-2-Clause
/*
 * A PIIX IDE controller at the level of its registers, for tests of drivers/block. It aborts on what ATA or SFF-8038i
 * forbid the host. Commands take time: they end in ata_model_run(), which the clock's steps call, too.
 */
#ifndef TESTS_UNIT_ATA_MODEL_H
#define TESTS_UNIT_ATA_MODEL_H

#include "block_world.h"
#include "drivers/block/ata_regs.h"

struct ata_model_disk {
    bool is_there, is_packet;
    struct world_disk disk;
    uint16_t words[256]; /* of IDENTIFY DEVICE */
    unsigned fail_count; /* of the next commands with data or flush that fail with these */
    uint8_t fail_status, fail_error;
    uint8_t fail_only;      /* if not 0: of this command only */
    unsigned hang_count;    /* of the next commands that never end */
    bool hangs_in_reset;    /* stays busy after it */
    unsigned commands[256]; /* how often each came */
    bool has_cache_on;
    uint8_t transfer_mode; /* by SET FEATURES */
};

struct ata_model_channel {
    struct ata_model_disk disks[2];
    uint8_t regs[8], old[8]; /* written now, and before that */
    uint8_t status, error, control;
    uint8_t bm_command, bm_status;
    uint32_t bm_table;
    uint8_t buffer[4096]; /* of the CPU's transfers */
    unsigned buffer_at, buffer_bytes, sectors_left;
    uint64_t lba;
    uint8_t running;     /* the command; 0: none */
    bool needs_settling; /* a device was chosen, or a command given, and no time has passed */
    bool is_asserted;    /* INTRQ */
    bool edge;           /* the interrupt reached the CPU; ata_model_irq takes it */
    unsigned lose_edges; /* of the next interrupts that do not reach the CPU */
    bool is_short;       /* the next DMA ends before its table does */
    bool has_bm_error;   /* the next DMA ends with an error of the bus */
    bool is_never_idle;  /* says BSY for ever */
    bool asks_for_ever;  /* DRQ never goes away */
    bool ends_at_look;   /* the command under way ends when the status is read next */
};

struct ata_model {
    struct block_world *world;
    struct ata_model_channel channels[2];
    bool has_bus_mastering, is_gone;
    uint64_t accesses;
};

void ata_model_init(struct ata_model *model, struct block_world *world);
void ata_model_free(struct ata_model *model);
void ata_model_add_disk(struct ata_model *model, unsigned unit, uint64_t sectors, bool has_48_bit);
struct block_platform ata_model_platform(struct ata_model *model);
/* The commands under way go on. */
void ata_model_run(struct ata_model *model);
/* Has an interrupt come since the last call? */
bool ata_model_irq(struct ata_model *model);

/* Between its files: the device chosen, the direction of a command, and the address and count in the registers. */
struct ata_model_disk *ata_model_selected(struct ata_model_channel *ch);
bool ata_model_is_write(uint8_t command);
void ata_model_read_taskfile(struct ata_model_channel *ch);

#endif
