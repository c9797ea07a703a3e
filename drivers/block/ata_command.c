// SPDX-License-Identifier: BSD-2-Clause
/* The life of one command in a channel's registers: by bus mastering, or sector by sector by the CPU. */
#include "drivers/block/ata_private.h"

#include <string.h>

#define SETTLE_US 1u /* APT: 400 ns until the status is that after the last access */

static struct ata_device *device_of(struct ata_channel *channel,
                                    const struct block_command *command)
{
    return &channel->devices[command->unit % ATA_DEVICES];
}

/* Clears these bits; those that say which device can DMA stay (SFF-8038i 2.2). */
static void acknowledge(struct ata_channel *channel, uint32_t bits)
{
    uint32_t kept = ata_bm_get(channel, ATA_BM_STATUS, 1) & ATA_BM_CAPABLE;

    ata_bm_put(channel, ATA_BM_STATUS, 1, kept | bits);
}

static uint32_t put_entry(struct ata_channel *channel, unsigned index, uint32_t hpa, uint32_t bytes)
{
    uint32_t piece = ATA_PRD_BOUNDARY - hpa % ATA_PRD_BOUNDARY;

    if (piece > bytes)
        piece = bytes;
    const uint32_t entry[2] = {hpa, piece % ATA_PRD_BOUNDARY | (piece == bytes ? ATA_PRD_END : 0)};
    memcpy(channel->table + 8 * index, entry, sizeof(entry)); /* SFF-8038i 1.2; 0 bytes: 64 KiB */
    return piece;
}

static void fill_table(struct ata_channel *channel, const struct block_command *command)
{
    const struct block_device_info *info = &device_of(channel, command)->identity.info;
    uint32_t hpa = (uint32_t)command->data_hpa, bytes = command->sectors * info->sector_bytes;

    if (command->op == BLOCK_DISCARD) {
        ata_trim_list(channel->table + ATA_TRIM_OFFSET, command->lba, command->sectors);
        hpa = channel->table_hpa + ATA_TRIM_OFFSET;
        bytes = ATA_SECTOR;
    }
    for (unsigned i = 0; bytes; i++) {
        uint32_t piece = put_entry(channel, i, hpa, bytes);
        hpa += piece;
        bytes -= piece;
    }
}
_Static_assert((ATA_MAX_BYTES / ATA_PRD_BOUNDARY + 1) * 8 <= ATA_TRIM_OFFSET, "the table fits");

static void prepare_dma(struct ata_channel *channel, const struct block_command *command,
                        bool is_write)
{
    fill_table(channel, command);
    ata_bm_put(channel, ATA_BM_COMMAND, 1, is_write ? 0 : ATA_BM_TO_MEMORY);
    ata_bm_put(channel, ATA_BM_TABLE, 4, channel->table_hpa);
    acknowledge(channel, ATA_BM_ERROR | ATA_BM_INTERRUPT);
}

static void put_taskfile(struct ata_channel *channel, const struct ata_taskfile *tf)
{
    if (tf->is_48_bit) { /* ACS 4.1: the older half first */
        ata_put(channel, ATA_FEATURES, (uint8_t)(tf->feature >> 8));
        ata_put(channel, ATA_COUNT, (uint8_t)(tf->count >> 8));
        ata_put(channel, ATA_LBA_LOW, (uint8_t)(tf->lba >> 24));
        ata_put(channel, ATA_LBA_MID, (uint8_t)(tf->lba >> 32));
        ata_put(channel, ATA_LBA_HIGH, (uint8_t)(tf->lba >> 40));
    }
    ata_put(channel, ATA_FEATURES, (uint8_t)tf->feature);
    ata_put(channel, ATA_COUNT, (uint8_t)tf->count);
    ata_put(channel, ATA_LBA_LOW, (uint8_t)tf->lba);
    ata_put(channel, ATA_LBA_MID, (uint8_t)(tf->lba >> 8));
    ata_put(channel, ATA_LBA_HIGH, (uint8_t)(tf->lba >> 16));
    ata_put(channel, ATA_COMMAND, tf->command);
}

/* ---- by the CPU ---- */

static void move_sector(struct ata_channel *channel, const struct block_command *command)
{
    uint32_t bytes = device_of(channel, command)->identity.info.sector_bytes;
    uint8_t *at = command->data + (uint64_t)channel->moved * bytes;

    if (command->op == BLOCK_WRITE)
        ata_data_out(channel, at, bytes);
    else
        ata_data_in(channel, at, bytes);
    channel->moved++;
    block_delay(&channel->ata->platform, SETTLE_US);
}

/* The first sector of a write goes without an interrupt, when the device asks for it: mostly at once, else tick looks. */
static void start_write(struct ata_channel *channel, const struct block_command *command)
{
    if ((ata_status(channel) & (ATA_STATUS_BSY | ATA_STATUS_DRQ)) == ATA_STATUS_DRQ)
        move_sector(channel, command);
    else
        channel->check_ns = block_now(&channel->ata->platform) + BLOCK_NS_PER_MS;
}

static enum ata_result progress_cpu(struct ata_channel *channel, uint8_t status, bool has_data)
{
    const struct block_command *command = channel->current;
    bool has_all = !has_data || channel->moved == command->sectors;

    if (status & ATA_STATUS_DRQ) {
        if (has_all)
            return ATA_RESET;
        move_sector(channel, command);
        return command->op == BLOCK_READ && channel->moved == command->sectors ? ATA_GOOD
                                                                               : ATA_RUNNING;
    }
    return has_all ? ATA_GOOD : ATA_RESET;
}

/* ---- both ---- */

static bool moves_data(const struct block_command *command)
{
    return command->op != BLOCK_FLUSH && command->phase == ATA_PHASE_FIRST;
}

void ata_issue(struct ata_channel *channel)
{
    struct block_command *command = channel->current;
    struct ata_device *device = device_of(channel, command);
    struct ata_taskfile tf = ata_build(&device->identity, command, device->uses_dma);
    unsigned number = command->unit % ATA_DEVICES;
    uint64_t now = block_now(&channel->ata->platform);
    bool is_flush = !moves_data(command);

    channel->issued = ATA_ISSUED;
    channel->moved = 0;
    channel->is_by_cpu = tf.has_data && !device->uses_dma;
    channel->check_ns = now + BLOCK_CHECK_MS * BLOCK_NS_PER_MS;
    command->deadline_ns =
        now + (is_flush ? BLOCK_FLUSH_LIMIT_MS : BLOCK_COMMAND_LIMIT_MS) * BLOCK_NS_PER_MS;
    if (is_flush && !device->identity.info.has_write_cache) {
        channel->issued = ATA_NOTHING;
        return;
    }
    channel->ata->counters.commands++;

    if (channel->selected != number)
        ata_select(channel, number);
    if (ata_status(channel) & (ATA_STATUS_BSY | ATA_STATUS_DRQ)) {
        channel->issued = ATA_STUCK;
        return;
    }
    ata_put(channel, ATA_DEVICE,
            (uint8_t)(ATA_DEVICE_OBSOLETE | tf.device | (number ? ATA_DEVICE_SECOND : 0)));
    bool is_dma = tf.has_data && device->uses_dma;
    if (is_dma)
        prepare_dma(channel, command, tf.is_write);
    put_taskfile(channel, &tf);
    if (is_dma) {
        ata_bm_put(channel, ATA_BM_COMMAND, 1, (tf.is_write ? 0 : ATA_BM_TO_MEMORY) | ATA_BM_START);
        return; /* before the bus master's interrupt nobody looks at the status */
    }
    block_delay(&channel->ata->platform, SETTLE_US);
    if (tf.has_data && tf.is_write)
        start_write(channel, command);
}

bool ata_has_interrupt(struct ata_channel *channel)
{
    if (channel->has_dma)
        return ata_bm_get(channel, ATA_BM_STATUS, 1) & ATA_BM_INTERRUPT;
    return channel->current && !(ata_status(channel) & ATA_STATUS_BSY);
}

void ata_quiet(struct ata_channel *channel)
{
    if (channel->has_dma)
        ata_bm_put(channel, ATA_BM_COMMAND, 1, 0);
    (void)ata_get(channel, ATA_STATUS);
    if (channel->has_dma)
        acknowledge(channel, ATA_BM_ERROR | ATA_BM_INTERRUPT);
}

static enum ata_result judge(struct ata_channel *channel, uint8_t status)
{
    if (status == 0xff || status == 0x7f)
        return ATA_RESET;
    if (!(status & (ATA_STATUS_ERR | ATA_STATUS_DF)))
        return ATA_GOOD;
    bool is_cable = (status & ATA_STATUS_ERR) && (ata_get(channel, ATA_ERROR) & ATA_ERROR_ICRC);
    return is_cable ? ATA_REPEAT : ATA_BAD;
}

/* SFF-8038i 2.2: with the interrupt ACTIVE has to be off, else the table was longer than the transfer; with ERROR, memory
   could not be reached. */
static enum ata_result judge_dma(struct ata_channel *channel, uint32_t bm_status)
{
    if (bm_status & (ATA_BM_ACTIVE | ATA_BM_ERROR)) {
        channel->ata->counters.refused++;
        return ATA_RESET;
    }
    return ATA_GOOD;
}

enum ata_result ata_progress(struct ata_channel *channel)
{
    bool has_data = moves_data(channel->current);
    bool is_dma = has_data && !channel->is_by_cpu;

    if (ata_status(channel) & ATA_STATUS_BSY) {
        if (channel->has_dma) /* an interrupt from before this command */
            acknowledge(channel, ATA_BM_INTERRUPT);
        return ATA_RUNNING;
    }
    /* Only now: read before the end, it would say ACTIVE of a transfer that is whole. */
    uint32_t bm_status = is_dma ? ata_bm_get(channel, ATA_BM_STATUS, 1) : 0;
    uint8_t status = ata_get(channel, ATA_STATUS);
    enum ata_result result = judge(channel, status);
    if (is_dma || result != ATA_GOOD)
        ata_quiet(channel);
    else if (channel->has_dma)
        acknowledge(channel, ATA_BM_INTERRUPT);
    if (result != ATA_GOOD)
        return result;
    return is_dma ? judge_dma(channel, bm_status) : progress_cpu(channel, status, has_data);
}
