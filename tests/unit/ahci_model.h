// SPDX-License-Identifier: BSD-2-Clause
/*
 * An AHCI controller at the level of its registers and of its structures in memory, for tests of drivers/block. It aborts on
 * what AHCI forbids the host. Commands end in ahci_model_run(), queued ones in a changing order.
 */
#ifndef TESTS_UNIT_AHCI_MODEL_H
#define TESTS_UNIT_AHCI_MODEL_H

#include "block_world.h"
#include "drivers/block/ahci_regs.h"
#include "drivers/block/ata_regs.h"

struct ahci_model_port {
    bool is_there, is_packet;
    struct world_disk disk;
    uint16_t words[256];
    uint32_t clb, fb, is, ie, cmd, tfd, sctl, serr, sact, ci;
    uint32_t running; /* slots that the device has taken */
    bool has_link_change;
    bool needs_log;   /* a queued command has failed: all others do until the log was read */
    bool is_in_error; /* until the engine was stopped and started again */
    unsigned commands[256];
    /* faults */
    unsigned fail_count; /* of the next commands, with these */
    uint8_t fail_status, fail_error, fail_only;
    uint64_t bad_sector; /* if not 0 */
    bool log_is_missing, log_is_wrong;
    bool log_is_of_another; /* it names the slot behind the one that has failed */
    uint8_t failed_tag;
    uint32_t tfd_failed;
    unsigned hang_count; /* links resets until commands end again */
    bool engine_sticks;  /* the list never stops */
    bool stays_busy;     /* after a reset of the link */
    bool is_short;       /* the next command moves half its data */
    unsigned interface_errors;
    bool ends_failed;    /* PxCI lets go of failed commands, too */
    bool hides_failures; /* PxIS does not tell of them */
    unsigned link_waits; /* so many reads of PxSSTS: a device is there, and does not talk yet */
    bool is_mad;         /* its registers are no measure of what the driver does */
    unsigned link_resets;
};

struct ahci_model {
    struct block_world *world;
    uint32_t cap, ghc, is, pi, bohc;
    uint32_t region_bytes;
    struct ahci_model_port ports[32];
    bool is_gone, reset_hangs, firmware_clings;
    bool loses_interrupts;
    bool takes_first; /* queued commands, some time before it executes them */
    unsigned order;   /* changes which queued command ends first */
};

void ahci_model_init(struct ahci_model *model, struct block_world *world);
void ahci_model_free(struct ahci_model *model);
void ahci_model_add_disk(struct ahci_model *model, unsigned port, uint64_t sectors,
                         unsigned ncq_depth);
struct block_platform ahci_model_platform(struct ahci_model *model);
void ahci_model_run(struct ahci_model *model);
/* One command of one port at most. */
void ahci_model_run_one(struct ahci_model *model, unsigned port);
/* The interrupt line. */
bool ahci_model_irq(const struct ahci_model *model);
/* The cable is pulled, or plugged in again. */
void ahci_model_plug(struct ahci_model *model, unsigned port, bool is_in);
/* The disk is without power for a moment, and at once there again. */
void ahci_model_cut_power(struct ahci_model *model, unsigned port);

#endif
