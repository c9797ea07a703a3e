// SPDX-License-Identifier: BSD-2-Clause
/* Its commands. */
#include "ata_model.h"

#include <string.h>

struct ata_model_disk *ata_model_selected(struct ata_model_channel *ch)
{
    return &ch->disks[ch->regs[ATA_DEVICE] & ATA_DEVICE_SECOND ? 1 : 0];
}

static void raise(struct ata_model_channel *ch)
{
    ch->is_asserted = true;
    ch->bm_status |= ATA_BM_INTERRUPT;
    if (ch->control & ATA_CONTROL_NIEN)
        return;
    if (ch->lose_edges)
        ch->lose_edges--;
    else
        ch->edge = true;
}

static void end(struct ata_model_channel *ch, uint8_t status, uint8_t error)
{
    ch->running = 0;
    ch->status = ATA_STATUS_DRDY | status;
    ch->error = error;
    raise(ch);
}

/* ---- commands ---- */

static bool is_ext(uint8_t command)
{
    return command == ATA_READ_DMA_EXT || command == ATA_WRITE_DMA_EXT ||
           command == ATA_WRITE_DMA_FUA_EXT || command == ATA_READ_SECTORS_EXT ||
           command == ATA_WRITE_SECTORS_EXT;
}

static bool is_dma(uint8_t command)
{
    return command == ATA_READ_DMA || command == ATA_WRITE_DMA || command == ATA_READ_DMA_EXT ||
           command == ATA_WRITE_DMA_EXT || command == ATA_WRITE_DMA_FUA_EXT ||
           command == ATA_DATA_SET_MANAGEMENT;
}

bool ata_model_is_write(uint8_t command)
{
    return command == ATA_WRITE_DMA || command == ATA_WRITE_DMA_EXT ||
           command == ATA_WRITE_DMA_FUA_EXT || command == ATA_WRITE_SECTORS ||
           command == ATA_WRITE_SECTORS_EXT || command == ATA_DATA_SET_MANAGEMENT;
}

void ata_model_read_taskfile(struct ata_model_channel *ch)
{
    const uint8_t *r = ch->regs, *o = ch->old;

    ch->lba = r[ATA_LBA_LOW] | (uint64_t)r[ATA_LBA_MID] << 8 | (uint64_t)r[ATA_LBA_HIGH] << 16;
    ch->sectors_left = r[ATA_COUNT];
    if (is_ext(ch->running)) {
        ch->lba |= (uint64_t)o[ATA_LBA_LOW] << 24 | (uint64_t)o[ATA_LBA_MID] << 32 |
                   (uint64_t)o[ATA_LBA_HIGH] << 40;
        ch->sectors_left |= (unsigned)o[ATA_COUNT] << 8;
        ch->sectors_left = ch->sectors_left ? ch->sectors_left : 65536;
    } else {
        ch->lba |= (uint64_t)(r[ATA_DEVICE] & 0xf) << 24;
        ch->sectors_left = ch->sectors_left ? ch->sectors_left : 256;
    }
    world_require(r[ATA_DEVICE] & ATA_DEVICE_LBA, "an address that is no LBA");
}

/* Moves `bytes` through the table; false: the table's length is another. */
static bool walk_table(struct ata_model *model, struct ata_model_channel *ch, uint8_t *disk,
                       uint64_t bytes, bool to_memory)
{
    uint32_t entry[2] = {0, 0};

    world_require(ch->bm_table % 4 == 0, "the table's alignment");
    for (unsigned i = 0; bytes; i++) {
        if (entry[1] & ATA_PRD_END)
            return false;
        memcpy(entry, world_memory(model->world, ch->bm_table + 8 * i, 8), 8);
        uint64_t piece = entry[1] & 0xffff ? entry[1] & 0xffff : 0x10000;
        world_require(entry[0] % 2 == 0 && piece % 2 == 0, "an odd entry");
        world_require(entry[0] % 0x10000 + piece <= 0x10000, "an entry over 64 KiB");
        world_require(piece <= bytes || ch->is_short, "a table that is too long");
        piece = piece < bytes ? piece : bytes;
        uint8_t *memory = world_memory(model->world, entry[0], piece);
        memcpy(to_memory ? memory : disk, to_memory ? disk : memory, piece);
        disk += piece;
        bytes -= piece;
    }
    return entry[1] & ATA_PRD_END;
}

static void discard(struct ata_model_disk *d, const uint8_t *list)
{
    for (unsigned at = 0; at < 512; at += 8) {
        uint64_t entry;
        memcpy(&entry, list + at, 8);
        uint64_t lba = entry & 0xffffffffffffull, count = entry >> 48;
        if (count == 0)
            continue;
        world_require(disk_has(&d->disk, lba, count), "a discard beyond the end");
        memset(d->disk.now + lba * 512, 0xaa, count * 512);
        d->disk.discarded += count;
    }
    d->disk.discards++;
}

static void run_dma(struct ata_model *model, struct ata_model_channel *ch, struct ata_model_disk *d)
{
    uint8_t list[512] = {0}, *bytes = list;
    uint64_t count = 1;
    bool to_memory = !ata_model_is_write(ch->running);

    if (!(ch->bm_command & ATA_BM_START))
        return; /* the device waits for the host */
    world_require(!!(ch->bm_command & ATA_BM_TO_MEMORY) == to_memory, "the direction");
    if (ch->running != ATA_DATA_SET_MANAGEMENT) {
        count = ch->sectors_left;
        bytes = d->disk.now + ch->lba * 512;
    } else {
        world_require(ch->regs[ATA_FEATURES] == ATA_DSM_TRIM && ch->regs[ATA_COUNT] == 1 &&
                          ch->old[ATA_COUNT] == 0,
                      "a TRIM of one sector");
    }
    if (ch->is_short)
        count /= 2;
    world_require(walk_table(model, ch, bytes, count * 512, to_memory) || ch->is_short,
                  "a table that is too short");
    if (ch->running == ATA_DATA_SET_MANAGEMENT)
        discard(d, list);
    if (ch->running == ATA_WRITE_DMA_FUA_EXT)
        disk_make_durable(&d->disk, ch->lba, count);
    if (!ch->is_short)
        ch->bm_status &= (uint8_t)~ATA_BM_ACTIVE;
    if (ch->has_bm_error)
        ch->bm_status |= ATA_BM_ERROR;
    ch->is_short = ch->has_bm_error = false;
    end(ch, 0, 0);
}

static void offer(struct ata_model_channel *ch, const void *bytes, unsigned count)
{
    if (bytes)
        memcpy(ch->buffer, bytes, count);
    ch->buffer_at = 0;
    ch->buffer_bytes = count;
    ch->status = ATA_STATUS_DRDY | ATA_STATUS_DRQ;
}

static void run_cpu(struct ata_model_channel *ch, struct ata_model_disk *d)
{
    if (ch->buffer_bytes) /* the host has written a sector */
        memcpy(d->disk.now + ch->lba++ * 512, ch->buffer, 512);
    ch->buffer_bytes = 0;
    if (ch->sectors_left == 0) {
        end(ch, ch->asks_for_ever ? ATA_STATUS_DRQ : 0, 0);
        return;
    }
    ch->sectors_left--;
    if (ata_model_is_write(ch->running)) {
        bool is_first = ch->status == (ATA_STATUS_BSY | ATA_STATUS_DRDY);
        offer(ch, NULL, 512);
        if (!is_first)
            raise(ch);
        return;
    }
    offer(ch, d->disk.now + ch->lba++ * 512, 512);
    raise(ch);
}

static void set_features(struct ata_model_channel *ch, struct ata_model_disk *d)
{
    switch (ch->regs[ATA_FEATURES]) {
    case ATA_FEATURE_WRITE_CACHE_ON:
    case ATA_FEATURE_WRITE_CACHE_OFF:
        d->has_cache_on = ch->regs[ATA_FEATURES] == ATA_FEATURE_WRITE_CACHE_ON;
        d->words[ATA_ID_ENABLED_85] =
            (uint16_t)((d->words[ATA_ID_ENABLED_85] & ~0x20) | (d->has_cache_on ? 0x20 : 0));
        break;
    case ATA_FEATURE_TRANSFER_MODE:
        d->transfer_mode = ch->regs[ATA_COUNT];
        d->words[ATA_ID_MULTIWORD] =
            (uint16_t)((d->words[ATA_ID_MULTIWORD] & 0xff) | 0x100u << (d->transfer_mode & 7));
        break;
    default:
        end(ch, ATA_STATUS_ERR, ATA_ERROR_ABRT);
        return;
    }
    end(ch, 0, 0);
}

static bool fails(struct ata_model_channel *ch, struct ata_model_disk *d)
{
    bool moves = is_dma(ch->running) || is_ext(ch->running) || ch->running == ATA_READ_SECTORS ||
                 ch->running == ATA_WRITE_SECTORS;

    if (moves && ch->running != ATA_DATA_SET_MANAGEMENT &&
        !disk_has(&d->disk, ch->lba, ch->sectors_left)) {
        end(ch, ATA_STATUS_ERR, ATA_ERROR_IDNF);
        return true;
    }
    if (!d->fail_count || (d->fail_only && d->fail_only != ch->running) ||
        !(moves || ch->running == ATA_FLUSH_CACHE || ch->running == ATA_FLUSH_CACHE_EXT))
        return false;
    d->fail_count--;
    ch->bm_status &= (uint8_t)~ATA_BM_ACTIVE;
    end(ch, d->fail_status, d->fail_error);
    return true;
}

static void run(struct ata_model *model, struct ata_model_channel *ch)
{
    struct ata_model_disk *d = ata_model_selected(ch);

    bool is_of_setup = ch->running == ATA_IDENTIFY_DEVICE || ch->running == ATA_SET_FEATURES;

    if (!ch->running || !(ch->status & ATA_STATUS_BSY) || ch->is_never_idle || !d->is_there ||
        (d->hang_count && !is_of_setup))
        return;
    if (!ch->buffer_bytes && fails(ch, d))
        return;
    switch (ch->running) {
    case ATA_IDENTIFY_DEVICE:
        if (d->is_packet) {
            end(ch, ATA_STATUS_ERR, ATA_ERROR_ABRT);
            break;
        }
        ch->sectors_left = 0;
        offer(ch, d->words, 512);
        raise(ch);
        break;
    case ATA_SET_FEATURES:
        set_features(ch, d);
        break;
    case ATA_FLUSH_CACHE:
    case ATA_FLUSH_CACHE_EXT:
        disk_flush(&d->disk);
        end(ch, 0, 0);
        break;
    default:
        if (is_dma(ch->running))
            run_dma(model, ch, d);
        else
            run_cpu(ch, d);
    }
}

void ata_model_run(struct ata_model *model)
{
    for (unsigned i = 0; i < 2; i++) {
        model->channels[i].needs_settling = false;
        run(model, &model->channels[i]);
    }
}
