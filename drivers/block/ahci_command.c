// SPDX-License-Identifier: BSD-2-Clause
/* Commands in the slots of a port. */
#include "drivers/block/ahci_private.h"

#include <string.h>

static bool is_transfer(const struct block_command *command)
{
    return (command->op == BLOCK_READ || command->op == BLOCK_WRITE) &&
           command->phase == ATA_PHASE_FIRST;
}

static bool is_queued(const struct ahci_port *port, const struct block_command *command)
{
    return port->depth > 1 && is_transfer(command);
}

static bool is_flush(const struct block_command *command)
{
    return command->op == BLOCK_FLUSH || command->phase == ATA_PHASE_FLUSH;
}

/* ---- the memory of a slot ---- */

static void fill_fis(uint8_t *fis, const struct ata_taskfile *tf)
{
    const uint8_t bytes[AHCI_FIS_BYTES] = {
        AHCI_FIS_REGISTERS,
        AHCI_FIS_COMMAND,
        tf->command,
        (uint8_t)tf->feature,
        (uint8_t)tf->lba,
        (uint8_t)(tf->lba >> 8),
        (uint8_t)(tf->lba >> 16),
        tf->device,
        (uint8_t)(tf->lba >> 24),
        (uint8_t)(tf->lba >> 32),
        (uint8_t)(tf->lba >> 40),
        (uint8_t)(tf->feature >> 8),
        (uint8_t)tf->count,
        (uint8_t)(tf->count >> 8),
    };

    memcpy(fis, bytes, sizeof(bytes));
    if (!tf->is_48_bit)
        memset(fis + 8, 0, 3); /* a 28-bit address has its highest bits in the device register */
}

void ahci_fill(struct ahci_port *port, unsigned slot, const struct ata_taskfile *tf, uint32_t hpa,
               uint32_t bytes)
{
    uint32_t table = AHCI_AT_TABLES + slot * AHCI_TABLE_BYTES;
    const uint32_t header[8] = {
        AHCI_HEADER_FIS_WORDS | (tf->is_write ? AHCI_HEADER_WRITE : 0u) |
            (bytes ? 1u << AHCI_HEADER_ENTRIES_SHIFT : 0u),
        0, /* bytes moved: the controller's */
        port->memory_hpa + table,
    };
    const uint32_t entry[4] = {hpa, 0, 0, bytes - 1}; /* AHCI 4.2.3.3: one less */

    fill_fis(port->memory + table, tf);
    if (bytes)
        memcpy(port->memory + table + AHCI_TABLE_PRDT, entry, sizeof(entry));
    memcpy(port->memory + AHCI_AT_LIST + slot * AHCI_HEADER_BYTES, header, sizeof(header));
}
_Static_assert(AHCI_MAX_BYTES <= AHCI_PRD_MAX, "one entry is enough");
_Static_assert(AHCI_TABLE_PRDT + 16 <= AHCI_TABLE_BYTES, "one entry has room");

/* ACS 7.27, 7.58: the count is in the features, the tag where the count was. */
static void make_queued(struct ata_taskfile *tf, const struct block_command *command, unsigned slot,
                        bool has_fua)
{
    tf->command = tf->is_write ? ATA_WRITE_FPDMA_QUEUED : ATA_READ_FPDMA_QUEUED;
    tf->feature = tf->count;
    tf->count = (uint16_t)(slot << 3);
    if (command->fua && has_fua)
        tf->device |= AHCI_FPDMA_FUA;
}

static void fill(struct ahci_port *port, unsigned slot, const struct block_command *command)
{
    struct ata_taskfile tf = ata_build(&port->identity, command, true);
    uint32_t hpa = (uint32_t)command->data_hpa;
    uint32_t bytes = tf.has_data ? command->sectors * port->identity.info.sector_bytes : 0;

    if (command->op == BLOCK_DISCARD) {
        ata_trim_list(port->memory + AHCI_AT_TRIM, command->lba, command->sectors);
        hpa = port->memory_hpa + AHCI_AT_TRIM;
        bytes = ATA_SECTOR;
    }
    if (is_queued(port, command))
        make_queued(&tf, command, slot, port->identity.info.has_fua);
    ahci_fill(port, slot, &tf, hpa, bytes);
}

/* ---- to the device ---- */

static int free_slot(const struct ahci_port *port)
{
    for (unsigned i = 0; i < port->depth; i++) {
        if (!(port->issued >> i & 1))
            return (int)i;
    }
    return -1;
}

/* Commands that are not queued; and those that failed before, or were beside one that did and no log said which: if it
   happens again, it is clear whose fault it is. */
static bool must_be_alone(const struct ahci_port *port, const struct block_command *command)
{
    return !is_queued(port, command) || command->tries > 0;
}

static bool can_issue(const struct ahci_port *port, const struct block_command *command)
{
    if (must_be_alone(port, command))
        return port->issued == 0;
    return !port->is_alone && free_slot(port) >= 0;
}

static void issue_one(struct ahci_port *port, struct block_command *command)
{
    unsigned slot = (unsigned)free_slot(port);
    uint64_t now = block_now(&port->ahci->platform);

    fill(port, slot, command);
    port->slots[slot] = command;
    port->issued |= 1u << slot;
    port->is_queued = is_queued(port, command);
    port->is_alone = must_be_alone(port, command);
    port->check_ns = now + BLOCK_CHECK_MS * BLOCK_NS_PER_MS;
    command->deadline_ns =
        now + (is_flush(command) ? BLOCK_FLUSH_LIMIT_MS : BLOCK_COMMAND_LIMIT_MS) * BLOCK_NS_PER_MS;
    port->ahci->counters.commands++;
    if (port->is_queued)
        ahci_port_put(port, AHCI_PXSACT, 1u << slot);
    ahci_port_put(port, AHCI_PXCI, 1u << slot);
}

/* The user must hear of a loss before it builds on what was written. */
static bool is_lost_flush(struct ahci_port *port, struct block_command *command)
{
    if (command->op != BLOCK_FLUSH || !port->has_lost)
        return false;
    port->has_lost = false;
    command->phase = ATA_PHASE_LOST;
    block_log(&port->ahci->platform, "ahci", port->number,
              "a flush fails: the disk may have lost its cache since the last one");
    return true;
}

void ahci_issue(struct ahci_port *port)
{
    struct block_command *command;

    while (port->is_there && (command = port->waiting.first)) {
        bool has_nothing = (command->op == BLOCK_FLUSH && !port->identity.info.has_write_cache) ||
                           is_lost_flush(port, command);
        if (!has_nothing && !can_issue(port, command))
            return;
        (void)block_queue_pop(&port->waiting);
        if (has_nothing)
            block_queue_push(&port->idle, command);
        else
            issue_one(port, command);
    }
}

/* ---- from the device ---- */

uint32_t ahci_finished(struct ahci_port *port)
{
    uint32_t active = ahci_port_get(port, AHCI_PXCI);

    if (port->is_queued)
        active |= ahci_port_get(port, AHCI_PXSACT);
    return port->issued & ~active;
}

static void finish(struct ahci_port *port, struct block_command *command, bool is_ok)
{
    if (!is_ok)
        port->ahci->counters.errors++;
    command->done(command, is_ok);
}

static struct block_command *take(struct ahci_port *port, unsigned slot)
{
    struct block_command *command = port->slots[slot];

    port->slots[slot] = NULL;
    port->issued &= ~(1u << slot);
    if (!port->issued)
        port->is_alone = false;
    return command;
}

/* AHCI 5.4.1: the controller counts the bytes of commands that are not queued. */
static bool has_all_data(struct ahci_port *port, unsigned slot, const struct block_command *command)
{
    uint32_t moved;

    if (port->is_queued || !is_transfer(command))
        return true;
    memcpy(&moved, port->memory + AHCI_AT_LIST + slot * AHCI_HEADER_BYTES + 4, sizeof(moved));
    return moved == command->sectors * port->identity.info.sector_bytes;
}

/* A flush runs alone: it covers all writes that have ended. A FUA write answers for itself. */
static void note_success(struct ahci_port *port, const struct block_command *command)
{
    if (is_flush(command))
        port->has_unflushed = false;
    else if (command->op == BLOCK_WRITE && !command->fua)
        port->has_unflushed = port->identity.info.has_write_cache;
}

void ahci_note_loss(struct ahci_port *port)
{
    port->has_lost |= port->has_unflushed;
    port->has_unflushed = false;
    for (struct block_command *c = port->waiting.first; c; c = c->next) {
        if (c->phase == ATA_PHASE_FLUSH) /* the data of a FUA write: written anew */
            c->phase = ATA_PHASE_FIRST;
    }
}

void ahci_end_idle(struct ahci_port *port)
{
    struct block_queue idle = port->idle; /* done() may submit more */
    struct block_command *command;

    port->idle = (struct block_queue){0};
    while ((command = block_queue_pop(&idle)))
        finish(port, command, command->phase != ATA_PHASE_LOST);
}

void ahci_complete(struct ahci_port *port, uint32_t slots)
{
    for (unsigned slot = 0; slot < AHCI_MAX_SLOTS; slot++) {
        if (!(slots & port->issued & 1u << slot))
            continue;
        port->silences = 0;
        bool is_whole = has_all_data(port, slot, port->slots[slot]);
        struct block_command *command = take(port, slot);
        if (!is_whole) {
            port->ahci->counters.refused++;
            finish(port, command, false);
        } else if (ata_needs_flush(&port->identity, command)) {
            command->phase = ATA_PHASE_FLUSH;
            block_queue_push_front(&port->waiting, command);
        } else {
            note_success(port, command);
            finish(port, command, true);
        }
    }
}

void ahci_requeue(struct ahci_port *port, uint32_t failed, bool is_final)
{
    struct block_queue bad = {0};
    struct block_command *command;

    for (unsigned slot = AHCI_MAX_SLOTS; slot-- > 0;) {
        if (!(port->issued >> slot & 1))
            continue;
        bool has_failed = failed >> slot & 1;
        command = take(port, slot);
        if (has_failed && (is_final || !block_may_repeat(command))) {
            block_queue_push(&bad, command);
            continue;
        }
        if (has_failed)
            command->tries++;
        port->ahci->counters.repeated++;
        block_queue_push_front(&port->waiting, command);
    }
    while ((command = block_queue_pop(&bad)))
        finish(port, command, false);
}

void ahci_fail_all(struct ahci_port *port)
{
    struct block_command *command;

    ahci_requeue(port, UINT32_MAX, true);
    while ((command = block_queue_pop(&port->waiting)))
        finish(port, command, false);
}
