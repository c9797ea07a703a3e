// SPDX-License-Identifier: BSD-2-Clause
/* Its commands. */
#include "ahci_model.h"

#include <string.h>

struct taskfile {
    uint8_t command, device;
    uint16_t feature, count;
    uint64_t lba;
};

static struct taskfile read_fis(const uint8_t *fis)
{
    struct taskfile tf = {.command = fis[2], .device = fis[7]};

    world_require(fis[0] == AHCI_FIS_REGISTERS && fis[1] == AHCI_FIS_COMMAND, "a command's FIS");
    tf.feature = (uint16_t)(fis[3] | fis[11] << 8);
    tf.count = (uint16_t)(fis[12] | fis[13] << 8);
    tf.lba = fis[4] | (uint64_t)fis[5] << 8 | (uint64_t)fis[6] << 16 | (uint64_t)fis[8] << 24 |
             (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
    return tf;
}

static bool is_queued(uint8_t command)
{
    return command == ATA_READ_FPDMA_QUEUED || command == ATA_WRITE_FPDMA_QUEUED;
}

static uint8_t *header_of(struct ahci_model *model, struct ahci_model_port *port, unsigned slot)
{
    world_require(port->clb % 1024 == 0, "the list's alignment");
    return world_memory(model->world, port->clb + slot * AHCI_HEADER_BYTES, AHCI_HEADER_BYTES);
}

static struct taskfile taskfile_of(struct ahci_model *model, struct ahci_model_port *port,
                                   unsigned slot, uint32_t header[8])
{
    memcpy(header, header_of(model, port, slot), AHCI_HEADER_BYTES);
    world_require((header[0] & 0x1f) == AHCI_HEADER_FIS_WORDS && header[2] % 128 == 0 &&
                      header[3] == 0,
                  "a command header");
    return read_fis(world_memory(model->world, header[2], AHCI_TABLE_PRDT));
}

/* Moves the bytes between the disk and what the header names. */
static void move(struct ahci_model *model, struct ahci_model_port *port, unsigned slot,
                 const uint32_t header[8], void *disk, uint32_t bytes, bool is_write)
{
    uint32_t entry[4], moved = bytes;

    world_require(header[0] >> AHCI_HEADER_ENTRIES_SHIFT == 1, "the number of entries");
    world_require(!!(header[0] & AHCI_HEADER_WRITE) == is_write, "the direction");
    memcpy(entry, world_memory(model->world, header[2] + AHCI_TABLE_PRDT, 16), 16);
    world_require(entry[1] == 0 && entry[0] % 2 == 0 && entry[3] == bytes - 1, "an entry");
    uint8_t *memory = world_memory(model->world, entry[0], bytes);
    if (port->is_short)
        moved /= 2;
    port->is_short = false;
    memcpy(is_write ? disk : memory, is_write ? memory : disk, moved);
    memcpy(header_of(model, port, slot) + 4, &moved, 4);
}

static void fail(struct ahci_model_port *port, unsigned slot, uint8_t status, uint8_t error)
{
    port->tfd = ATA_STATUS_DRDY | status | (uint32_t)error << 8;
    port->is |= port->hides_failures ? AHCI_IS_REGISTERS : AHCI_IS_TASK_FILE;
    port->is_in_error = true;
    if (port->ends_failed)
        port->ci &= ~(1u << slot);
    if (port->sact && !port->needs_log) {
        port->failed_tag = (uint8_t)slot;
        port->tfd_failed = port->tfd;
        port->needs_log = true;
    }
}

static void end(struct ahci_model_port *port, unsigned slot, bool was_queued)
{
    port->tfd = ATA_STATUS_DRDY;
    port->ci &= ~(1u << slot);
    port->running &= ~(1u << slot);
    if (was_queued)
        port->sact &= ~(1u << slot);
    port->is |= was_queued ? AHCI_IS_DEVICE_BITS : AHCI_IS_REGISTERS;
}

static void transfer(struct ahci_model *model, struct ahci_model_port *port, unsigned slot,
                     const uint32_t header[8], const struct taskfile *tf)
{
    bool queued = is_queued(tf->command);
    uint32_t count = queued ? tf->feature : tf->count;
    bool is_write = tf->command == ATA_WRITE_FPDMA_QUEUED || tf->command == ATA_WRITE_DMA_EXT ||
                    tf->command == ATA_WRITE_DMA_FUA_EXT;

    count = count ? count : 65536;
    world_require(!queued || tf->count >> 3 == slot, "the tag is not the slot's number");
    world_require(queued == !!(port->sact >> slot & 1), "PxSACT and the command do not agree");
    world_require(tf->device & ATA_DEVICE_LBA, "an address that is no LBA");
    if (!disk_has(&port->disk, tf->lba, count)) {
        fail(port, slot, ATA_STATUS_ERR, ATA_ERROR_IDNF);
        return;
    }
    if (port->bad_sector && port->bad_sector >= tf->lba && port->bad_sector - tf->lba < count) {
        fail(port, slot, ATA_STATUS_ERR, ATA_ERROR_UNC);
        return;
    }
    move(model, port, slot, header, port->disk.now + tf->lba * 512, count * 512, is_write);
    if (tf->command == ATA_WRITE_DMA_FUA_EXT || (queued && (tf->device & AHCI_FPDMA_FUA)))
        disk_make_durable(&port->disk, tf->lba, count);
    end(port, slot, queued);
}

static void send_log(struct ahci_model *model, struct ahci_model_port *port, unsigned slot,
                     const uint32_t header[8], const struct taskfile *tf)
{
    uint8_t log[512] = {port->failed_tag, 0, (uint8_t)port->tfd_failed,
                        (uint8_t)(port->tfd_failed >> 8)},
            sum = 0;

    world_require(tf->count == 1 && tf->lba == AHCI_LOG_QUEUED_ERROR, "which log");
    if (port->log_is_of_another)
        log[0] = (log[0] + 1) % 32;
    for (unsigned i = 0; i < 511; i++)
        sum = (uint8_t)(sum + log[i]);
    log[511] = (uint8_t)(port->log_is_wrong ? 1 - sum : -sum);
    if (port->log_is_missing) {
        fail(port, slot, ATA_STATUS_ERR, ATA_ERROR_ABRT);
        return;
    }
    port->needs_log = false;
    move(model, port, slot, header, log, sizeof(log), false);
    end(port, slot, false);
}

static void discard(struct ahci_model *model, struct ahci_model_port *port, unsigned slot,
                    const uint32_t header[8], const struct taskfile *tf)
{
    uint8_t list[512];

    world_require(tf->feature == ATA_DSM_TRIM && tf->count == 1, "a TRIM of one sector");
    move(model, port, slot, header, list, sizeof(list), true);
    for (unsigned at = 0; at < sizeof(list); at += 8) {
        uint64_t entry;
        memcpy(&entry, list + at, 8);
        port->disk.discarded += entry >> 48;
    }
    port->disk.discards++;
    end(port, slot, false);
}

static void run_slot(struct ahci_model *model, struct ahci_model_port *port, unsigned slot)
{
    uint32_t header[8];
    struct taskfile tf = taskfile_of(model, port, slot, header);
    bool is_setup = tf.command == ATA_IDENTIFY_DEVICE || tf.command == ATA_SET_FEATURES ||
                    tf.command == ATA_READ_LOG_EXT;

    if (port->hang_count && !is_setup)
        return;
    port->commands[tf.command]++;
    world_require(is_queued(tf.command) || port->sact == 0, "a command beside queued ones");
    if (port->needs_log && tf.command != ATA_READ_LOG_EXT) {
        fail(port, slot, ATA_STATUS_ERR, ATA_ERROR_ABRT);
        return;
    }
    if (port->fail_count && !is_setup && (!port->fail_only || port->fail_only == tf.command)) {
        port->fail_count--;
        fail(port, slot, port->fail_status, port->fail_error);
        return;
    }
    switch (tf.command) {
    case ATA_IDENTIFY_DEVICE:
        move(model, port, slot, header, port->words, sizeof(port->words), false);
        end(port, slot, false);
        break;
    case ATA_SET_FEATURES:
        if (tf.feature == ATA_FEATURE_WRITE_CACHE_ON)
            port->words[ATA_ID_ENABLED_85] |= 0x20;
        else
            port->words[ATA_ID_ENABLED_85] &= (uint16_t)~0x20;
        end(port, slot, false);
        break;
    case ATA_FLUSH_CACHE_EXT:
        disk_flush(&port->disk);
        end(port, slot, false);
        break;
    case ATA_READ_LOG_EXT:
        send_log(model, port, slot, header, &tf);
        break;
    case ATA_DATA_SET_MANAGEMENT:
        discard(model, port, slot, header, &tf);
        break;
    default:
        transfer(model, port, slot, header, &tf);
    }
}

/* takes_first: a queued command is taken, which PxCI tells, and executed later, which PxSACT tells (AHCI 5.5.1). */
static bool take(struct ahci_model *model, struct ahci_model_port *port, unsigned slot)
{
    uint32_t header[8];

    if (!model->takes_first || port->running >> slot & 1 || port->hang_count ||
        !is_queued(taskfile_of(model, port, slot, header).command))
        return false;
    port->ci &= ~(1u << slot);
    port->running |= 1u << slot;
    return true;
}

void ahci_model_run_one(struct ahci_model *model, unsigned number)
{
    struct ahci_model_port *port = &model->ports[number];
    uint32_t waiting = port->ci | port->running;

    if (!port->is_there || !(port->cmd & AHCI_CMD_START) || port->is_in_error ||
        port->has_link_change || !waiting)
        return;
    if (port->interface_errors) {
        port->interface_errors--;
        port->is |= AHCI_IS_INTERFACE;
        port->is_in_error = true;
        return;
    }
    for (unsigned i = 0; i < 32; i++) {
        unsigned slot = (i + model->order) % 32;
        if (waiting >> slot & 1) {
            model->order += 7;
            if (!take(model, port, slot))
                run_slot(model, port, slot);
            return;
        }
    }
}

void ahci_model_run(struct ahci_model *model)
{
    for (unsigned i = 0; i < 32; i++) {
        for (unsigned n = 0; n < 32; n++)
            ahci_model_run_one(model, i);
    }
}
