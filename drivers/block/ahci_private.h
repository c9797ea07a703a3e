// SPDX-License-Identifier: BSD-2-Clause
/* Between the files of the AHCI driver only. */
#ifndef DRIVERS_BLOCK_AHCI_PRIVATE_H
#define DRIVERS_BLOCK_AHCI_PRIVATE_H

#include "drivers/block/ahci.h"

#define AHCI_REGION (BLOCK_REGION_BAR0 + 5)

static inline uint32_t ahci_get(const struct ahci *ahci, uint32_t reg)
{
    return (uint32_t)block_read(&ahci->platform, AHCI_REGION, reg, 4);
}
static inline void ahci_put(const struct ahci *ahci, uint32_t reg, uint32_t value)
{
    block_write(&ahci->platform, AHCI_REGION, reg, 4, value);
}
static inline uint32_t ahci_port_get(const struct ahci_port *port, uint32_t reg)
{
    return ahci_get(port->ahci, AHCI_PORTS + AHCI_PORT_BYTES * port->number + reg);
}
static inline void ahci_port_put(const struct ahci_port *port, uint32_t reg, uint32_t value)
{
    ahci_put(port->ahci, AHCI_PORTS + AHCI_PORT_BYTES * port->number + reg, value);
}
/* Until none of these bits is set; false: not within the time. */
bool ahci_wait_clear(const struct ahci *ahci, uint32_t reg, uint32_t bits, uint32_t limit_ms);

/* -- ahci_start.c -- */

/* Resets the controller: all DMA and interrupts end. False: not within a second. */
bool ahci_reset(struct ahci *ahci);
/* Takes it from the firmware and resets it. LEAT_OK, or LEAT_EIO: it does not work. Waits at most 3 s. */
int ahci_take(struct ahci *ahci);
/* What the controller can, which ports there are, and their disks. Waits at most 12 s. */
void ahci_find_disks(struct ahci *ahci, const struct block_dma *dma);

/* -- ahci_port.c: what waits -- */

/* Tells the port where its memory is and lets it look for a device; the engine is off. */
void ahci_port_prepare(struct ahci_port *port);
/* Waits until end_ns while a device is there, but does not communicate yet. */
void ahci_port_wait_link(const struct ahci_port *port, uint64_t end_ns);
/* Looks what answered; is_there says whether it is a disk. Waits at most limit_ms for it to be ready, and 2 s for what it
   says of itself. */
void ahci_port_find(struct ahci_port *port, uint32_t limit_ms);
/* The engine off, and on again; with a reset of the link if `is_hard`, if the device is busy, or if the engine does not stop.
   After a reset the same disk must be there, else is_there becomes false. True: without a reset. Nothing is issued
   afterwards. Waits at most BLOCK_RESET_LIMIT_MS. */
bool ahci_port_restart(struct ahci_port *port, bool is_hard);
/* The tag of the queued command that failed, with status and error in *status and *error; -1: the disk does not say. */
int ahci_port_failed_tag(struct ahci_port *port, uint8_t *status, uint8_t *error);
void ahci_port_stop(struct ahci_port *port);

/* -- ahci_command.c: slots -- */

/* Fills a slot's header and table. `bytes` of data at `hpa`; 0: none. queued: by NCQ, with the slot as its tag. */
void ahci_fill(struct ahci_port *port, unsigned slot, const struct ata_taskfile *tf, uint32_t hpa,
               uint32_t bytes);
/* Gives the device what it can take of the waiting ones. */
void ahci_issue(struct ahci_port *port);
/* Bits of the slots that the device has finished. */
uint32_t ahci_finished(struct ahci_port *port);
/* Takes all commands out of their slots: those of `failed` are repeated or fail, if `is_final` they fail; the others, which
   are never a flush, since that runs alone, go back to the queue. */
void ahci_requeue(struct ahci_port *port, uint32_t failed, bool is_final);
/* Ends the commands of these slots. */
void ahci_complete(struct ahci_port *port, uint32_t slots);
/* Ends the flushes that the device does not get. */
void ahci_end_idle(struct ahci_port *port);
/* The disk may have been without power: what was in its cache is lost. */
void ahci_note_loss(struct ahci_port *port);
/* A disk that is gone: all its commands fail. */
void ahci_fail_all(struct ahci_port *port);

#endif
