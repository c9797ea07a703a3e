// SPDX-License-Identifier: BSD-2-Clause
/* Its registers, and the disks at the start. */
#include "ata_model.h"

#include <string.h>

static void step(struct block_world *world)
{
    ata_model_run(world->model);
}

/* ---- registers ---- */

static void command(struct ata_model_channel *ch, uint8_t value)
{
    struct ata_model_disk *d = ata_model_selected(ch);

    if (!d->is_there)
        return;
    world_require(!(ch->status & (ATA_STATUS_BSY | ATA_STATUS_DRQ)), "a command to a busy device");
    d->commands[value]++;
    ch->running = value;
    ch->status = ATA_STATUS_BSY | ATA_STATUS_DRDY;
    ch->is_asserted = false;
    ch->buffer_bytes = 0;
    ch->needs_settling = true;
    if (value != ATA_IDENTIFY_DEVICE && value != ATA_SET_FEATURES && value != ATA_FLUSH_CACHE &&
        value != ATA_FLUSH_CACHE_EXT && value != ATA_DATA_SET_MANAGEMENT)
        ata_model_read_taskfile(ch);
}

static void reset(struct ata_model_channel *ch)
{
    ch->running = 0;
    ch->is_asserted = false;
    memset(ch->regs, 0, sizeof(ch->regs));
    for (unsigned i = 0; i < 2; i++) {
        if (ch->disks[i].hang_count)
            ch->disks[i].hang_count--;
    }
    ch->status = ATA_STATUS_DRDY;
}

static void write_control(struct ata_model_channel *ch, uint8_t value)
{
    if ((ch->control & ATA_CONTROL_SRST) && !(value & ATA_CONTROL_SRST))
        reset(ch);
    ch->control = value;
}

static uint8_t status_of(struct ata_model_channel *ch)
{
    const struct ata_model_disk *d = ata_model_selected(ch);

    if (!d->is_there)
        return ch->disks[0].is_there || ch->disks[1].is_there ? 0 : 0xff;
    if (ch->is_never_idle || d->hangs_in_reset)
        return ATA_STATUS_BSY;
    return ch->status;
}

static uint16_t read_data(struct ata_model_channel *ch)
{
    if (!(ch->status & ATA_STATUS_DRQ) || ata_model_is_write(ch->running) ||
        ch->buffer_at + 2 > ch->buffer_bytes)
        return 0xffff;
    uint16_t word = (uint16_t)(ch->buffer[ch->buffer_at] | ch->buffer[ch->buffer_at + 1] << 8);
    ch->buffer_at += 2;
    if (ch->buffer_at == ch->buffer_bytes) {
        ch->buffer_bytes = 0;
        ch->status = ATA_STATUS_DRDY | (ch->sectors_left ? ATA_STATUS_BSY : 0);
        if (!ch->sectors_left)
            ch->running = 0;
    }
    return word;
}

static void write_data(struct ata_model_channel *ch, uint16_t value)
{
    world_require((ch->status & ATA_STATUS_DRQ) && ata_model_is_write(ch->running) &&
                      ch->buffer_at + 2 <= ch->buffer_bytes,
                  "data that the device did not ask for");
    ch->buffer[ch->buffer_at++] = (uint8_t)value;
    ch->buffer[ch->buffer_at++] = (uint8_t)(value >> 8);
    if (ch->buffer_at == ch->buffer_bytes)
        ch->status = ATA_STATUS_DRDY | ATA_STATUS_BSY | 1u << 4; /* 1u << 4: not the first */
}

static uint64_t read_command_block(struct ata_model_channel *ch, uint32_t reg)
{
    const struct ata_model_disk *d = ata_model_selected(ch);

    switch (reg) {
    case ATA_DATA:
        return read_data(ch);
    case ATA_ERROR:
        return ch->error;
    case ATA_STATUS:
        ch->is_asserted = false;
        return status_of(ch);
    case ATA_LBA_MID:
        return d->is_packet ? ATA_SIGNATURE_MID : ch->regs[reg];
    case ATA_LBA_HIGH:
        return d->is_packet ? ATA_SIGNATURE_HIGH : ch->regs[reg];
    default:
        return ch->regs[reg & 7];
    }
}

static void write_command_block(struct ata_model_channel *ch, uint32_t reg, uint64_t value)
{
    if (reg == ATA_DATA) {
        write_data(ch, (uint16_t)value);
    } else if (reg == ATA_COMMAND) {
        command(ch, (uint8_t)value);
    } else {
        bool is_select = reg == ATA_DEVICE && ((ch->regs[reg] ^ value) & ATA_DEVICE_SECOND);
        world_require(ch->is_never_idle || reg == ATA_DEVICE || !ata_model_selected(ch)->is_there ||
                          !(ch->status & ATA_STATUS_BSY),
                      "a register written while busy");
        ch->old[reg] = ch->regs[reg];
        ch->regs[reg] = (uint8_t)value;
        ch->needs_settling |= is_select;
    }
}

static uint64_t read_bm(struct ata_model_channel *ch, uint32_t reg)
{
    return reg == ATA_BM_COMMAND  ? ch->bm_command
           : reg == ATA_BM_STATUS ? ch->bm_status
                                  : ch->bm_table;
}

static void write_bm(struct ata_model_channel *ch, uint32_t reg, uint64_t value)
{
    if (reg == ATA_BM_TABLE) {
        ch->bm_table = (uint32_t)value;
    } else if (reg == ATA_BM_STATUS) {
        ch->bm_status = (uint8_t)((ch->bm_status & (ATA_BM_ACTIVE | ATA_BM_SIMPLEX)) |
                                  (value & ATA_BM_CAPABLE) |
                                  (ch->bm_status & ~value & (ATA_BM_ERROR | ATA_BM_INTERRUPT)));
    } else {
        if (value & ATA_BM_START)
            ch->bm_status |= ATA_BM_ACTIVE;
        else
            ch->bm_status &= (uint8_t)~ATA_BM_ACTIVE;
        ch->bm_command = (uint8_t)value;
    }
}

static struct ata_model_channel *channel_of(struct ata_model *model, unsigned *region,
                                            uint32_t *offset)
{
    if (*region == BLOCK_REGION_BAR0 + 4) {
        world_require(*offset < 16, "a register of the bus master");
        struct ata_model_channel *ch = &model->channels[*offset / 8];
        *offset %= 8;
        return ch;
    }
    world_require(*region >= BLOCK_REGION_PORTS && *region < BLOCK_REGION_COUNT, "a region");
    unsigned number = (*region - BLOCK_REGION_PORTS) / 2;
    *region = BLOCK_REGION_PORTS + (*region - BLOCK_REGION_PORTS) % 2;
    return &model->channels[number];
}

static uint64_t model_read(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    struct block_world *world = context;
    struct ata_model *model = world->model;
    struct ata_model_channel *ch = channel_of(model, &region, &offset);

    model->accesses++;
    if (model->is_gone)
        return bytes == 4 ? UINT32_MAX : bytes == 2 ? UINT16_MAX : UINT8_MAX;
    if (region == BLOCK_REGION_BAR0 + 4)
        return read_bm(ch, offset);
    if (ch->ends_at_look) {
        ch->ends_at_look = false;
        ata_model_run(model);
    }
    world_require(!ch->needs_settling, "no 400 ns after a choice or a command");
    return region == BLOCK_REGION_PORTS ? read_command_block(ch, offset) : status_of(ch);
}

static void model_write(void *context, unsigned region, uint32_t offset, unsigned bytes,
                        uint64_t value)
{
    struct block_world *world = context;
    struct ata_model *model = world->model;
    struct ata_model_channel *ch = channel_of(model, &region, &offset);

    (void)bytes;
    model->accesses++;
    if (model->is_gone)
        return;
    if (region == BLOCK_REGION_BAR0 + 4)
        write_bm(ch, offset, value);
    else if (region == BLOCK_REGION_PORTS)
        write_command_block(ch, offset, value);
    else
        write_control(ch, (uint8_t)value);
}

static uint32_t region_bytes(void *context, unsigned region)
{
    const struct ata_model *model = ((struct block_world *)context)->model;

    if (region == BLOCK_REGION_BAR0 + 4)
        return model->has_bus_mastering ? 16 : 0;
    if (region < BLOCK_REGION_PORTS)
        return 0;
    return region % 2 ? 1 : 8;
}

static uint32_t config_read(void *context, uint32_t offset)
{
    (void)context;
    (void)offset;
    return UINT32_MAX;
}

struct block_platform ata_model_platform(struct ata_model *model)
{
    return (struct block_platform){model->world, model_read,  model_write, region_bytes,
                                   config_read,  world_delay, world_now,   world_log};
}

bool ata_model_irq(struct ata_model *model)
{
    bool came = false;

    for (unsigned i = 0; i < 2; i++) {
        came |= model->channels[i].edge;
        model->channels[i].edge = false;
    }
    return came;
}

/* ---- disks ---- */

void ata_model_add_disk(struct ata_model *model, unsigned unit, uint64_t sectors, bool has_48_bit)
{
    struct ata_model_disk *d = &model->channels[unit / 2].disks[unit % 2];

    d->is_there = true;
    disk_init(&d->disk, sectors, 512);
    world_ata_words(d->words, sectors, has_48_bit);
}

void ata_model_init(struct ata_model *model, struct block_world *world)
{
    memset(model, 0, sizeof(*model));
    model->world = world;
    model->has_bus_mastering = true;
    world->model = model;
    world->step = step;
    for (unsigned i = 0; i < 2; i++)
        model->channels[i].status = ATA_STATUS_DRDY;
}

void ata_model_free(struct ata_model *model)
{
    for (unsigned i = 0; i < 4; i++)
        disk_free(&model->channels[i / 2].disks[i % 2].disk);
}
