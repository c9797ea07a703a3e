// SPDX-License-Identifier: BSD-2-Clause
/* Reset of a channel, search for its devices, commands that are waited for. */
#include "drivers/block/ata_private.h"

#include <string.h>

#define SELECT_US 1u       /* APT: 400 ns until the status is that of the device chosen */
#define RESET_PULSE_US 10u /* APT: SRST stays for 5 us at least */
#define AFTER_RESET_US 2000u
#define POLL_US 100u
#define IDENTIFY_LIMIT_MS 1000u
#define SETUP_LIMIT_MS 500u
#define READY_LIMIT_MS 5000u
#define DEVICE_LIMIT_MS (READY_LIMIT_MS + IDENTIFY_LIMIT_MS + 2 * SETUP_LIMIT_MS)
_Static_assert(DEVICE_LIMIT_MS < BLOCK_RESET_LIMIT_MS, "block.h");
_Static_assert(ATA_UNITS *DEVICE_LIMIT_MS < BLOCK_START_LIMIT_MS, "block.h");

/* What a cable without device, or one that is only a stub, reads as. */
static bool is_nothing(uint8_t status)
{
    return status == 0xff || status == 0x7f || status == 0;
}

void ata_select(struct ata_channel *channel, unsigned device)
{
    ata_put(channel, ATA_DEVICE, ATA_DEVICE_OBSOLETE | (device ? ATA_DEVICE_SECOND : 0));
    block_delay(&channel->ata->platform, SELECT_US);
    channel->selected = (uint8_t)device;
}

void ata_data_in(struct ata_channel *channel, uint8_t *to, uint32_t bytes)
{
    for (uint32_t i = 0; i + 1 < bytes; i += 2) {
        uint64_t word =
            block_read(&channel->ata->platform, ata_command_block(channel), ATA_DATA, 2);
        to[i] = (uint8_t)word;
        to[i + 1] = (uint8_t)(word >> 8);
    }
}

void ata_data_out(struct ata_channel *channel, const uint8_t *from, uint32_t bytes)
{
    for (uint32_t i = 0; i + 1 < bytes; i += 2)
        block_write(&channel->ata->platform, ata_command_block(channel), ATA_DATA, 2,
                    from[i] | (uint32_t)from[i + 1] << 8);
}

/* False: still busy when the time was over. */
static bool wait_idle(struct ata_channel *channel, uint32_t limit_ms)
{
    for (uint32_t us = 0; us < limit_ms * 1000u; us += POLL_US) {
        if (!(ata_status(channel) & ATA_STATUS_BSY))
            return true;
        block_delay(&channel->ata->platform, POLL_US);
    }
    return false;
}

/* A command without data, or the start of one whose data is read by the CPU. */
static bool run_short(struct ata_channel *channel, uint8_t command, uint8_t feature, uint8_t count,
                      uint32_t limit_ms)
{
    ata_put(channel, ATA_FEATURES, feature);
    ata_put(channel, ATA_COUNT, count);
    ata_put(channel, ATA_COMMAND, command);
    block_delay(&channel->ata->platform, SELECT_US);
    if (!wait_idle(channel, limit_ms))
        return false;
    uint8_t status = ata_get(channel, ATA_STATUS);
    return !is_nothing(status) && !(status & (ATA_STATUS_ERR | ATA_STATUS_DF));
}

/* The transfer mode, if firmware has left none, and the write cache: on if it can be flushed, else off. */
static bool set_features(struct ata_channel *channel, struct ata_identity *id)
{
    bool wants_cache = id->has_flush || id->has_flush_ext;

    if (id->has_dma && !id->is_dma_mode_set) {
        if (id->multiword_mode == 0xff ||
            !run_short(channel, ATA_SET_FEATURES, ATA_FEATURE_TRANSFER_MODE,
                       ATA_MODE_MULTIWORD_DMA | id->multiword_mode, SETUP_LIMIT_MS))
            id->has_dma = false;
    }
    if (!id->has_switchable_cache || id->has_cache_on == wants_cache)
        return true;
    return run_short(channel, ATA_SET_FEATURES,
                     wants_cache ? ATA_FEATURE_WRITE_CACHE_ON : ATA_FEATURE_WRITE_CACHE_OFF, 0,
                     SETUP_LIMIT_MS);
}

static const char *identify(struct ata_channel *channel, struct ata_identity *id)
{
    uint8_t data[2 * ATA_IDENTIFY_WORDS];

    if (!run_short(channel, ATA_IDENTIFY_DEVICE, 0, 0, IDENTIFY_LIMIT_MS) ||
        !(ata_status(channel) & ATA_STATUS_DRQ))
        return "it does not say what it is";
    ata_data_in(channel, data, sizeof(data));
    const char *why = ata_identify(id, data);
    if (!why && !set_features(channel, id))
        why = "its write cache does not let itself be set";
    id->info.has_write_cache = id->has_flush || id->has_flush_ext; /* set_features has seen to it */
    return why;
}

/* What this controller does with what the device could. */
static void limit(struct ata_device *device, const struct ata_channel *channel)
{
    struct block_device_info *info = &device->identity.info;
    uint32_t most = ATA_MAX_BYTES / info->sector_bytes;

    device->uses_dma = channel->has_dma && device->identity.has_dma;
    if (info->max_sectors > most)
        info->max_sectors = most;
    if (!device->uses_dma) {
        info->has_fua = false;
        info->max_discard_sectors = 0;
    }
}

static bool is_packet_device(struct ata_channel *channel)
{
    return ata_get(channel, ATA_LBA_MID) == ATA_SIGNATURE_MID &&
           ata_get(channel, ATA_LBA_HIGH) == ATA_SIGNATURE_HIGH;
}

/* After a reset: what is there, in the place `number`? NULL: a disk, whose identity was filled in; "": nothing. */
static const char *look(struct ata_channel *channel, unsigned number, struct ata_identity *id)
{
    ata_select(channel, number);
    if (is_nothing(ata_status(channel)))
        return "";
    if (!wait_idle(channel, READY_LIMIT_MS))
        return "it stays busy after a reset";
    if (is_nothing(ata_status(channel)) || is_packet_device(channel))
        return "";
    return identify(channel, id);
}

static void find_device(struct ata_channel *channel, unsigned number)
{
    struct ata_device *device = &channel->devices[number];
    const char *why = look(channel, number, &device->identity);

    device->is_there = !why;
    device->silences = 0;
    if (device->is_there)
        limit(device, channel);
    else if (*why)
        block_log(&channel->ata->platform, "ata", ata_unit(channel, number), why);
}

static void check_device(struct ata_channel *channel, unsigned number)
{
    struct ata_device *device = &channel->devices[number];
    struct ata_identity now;

    if (!device->is_there)
        return;
    const char *why = look(channel, number, &now);
    if (!why && !ata_is_same(&device->identity, &now))
        why = "another disk is in its place";
    if (!why && now.has_dma < device->uses_dma)
        why = "it has lost its DMA mode";
    if (!why)
        return;
    device->is_there = false;
    block_log(&channel->ata->platform, "ata", ata_unit(channel, number), *why ? why : "it is gone");
}

void ata_reset(struct ata_channel *channel, bool is_start)
{
    const struct block_platform *platform = &channel->ata->platform;

    ata_control(channel, ATA_CONTROL_NIEN | ATA_CONTROL_SRST);
    block_delay(platform, RESET_PULSE_US);
    ata_control(channel, ATA_CONTROL_NIEN);
    block_delay(platform, AFTER_RESET_US);
    for (unsigned i = 0; i < ATA_DEVICES; i++) {
        if (is_start)
            find_device(channel, i);
        else
            check_device(channel, i);
    }
    channel->selected = ATA_DEVICES;
    ata_control(channel, 0);
    ata_quiet(channel);
}
