// SPDX-License-Identifier: BSD-2-Clause
/* Between the files of the IDE driver only. */
#ifndef DRIVERS_BLOCK_ATA_PRIVATE_H
#define DRIVERS_BLOCK_ATA_PRIVATE_H

#include "drivers/block/ata.h"

#define ATA_TRIM_OFFSET                                                                            \
    2048u /* of a DISCARD's list in the channel's page; the table lies before it */

/* Regions: match.c names the ports in this order. */
static inline unsigned ata_command_block(const struct ata_channel *channel)
{
    return BLOCK_REGION_PORTS + 2u * channel->number;
}
static inline unsigned ata_control_block(const struct ata_channel *channel)
{
    return BLOCK_REGION_PORTS + 2u * channel->number + 1;
}

static inline uint8_t ata_get(struct ata_channel *channel, uint32_t reg)
{
    return (uint8_t)block_read(&channel->ata->platform, ata_command_block(channel), reg, 1);
}
static inline void ata_put(struct ata_channel *channel, uint32_t reg, uint8_t value)
{
    block_write(&channel->ata->platform, ata_command_block(channel), reg, 1, value);
}
/* The status without ending the interrupt. */
static inline uint8_t ata_status(struct ata_channel *channel)
{
    return (uint8_t)block_read(&channel->ata->platform, ata_control_block(channel), ATA_CONTROL, 1);
}
static inline void ata_control(struct ata_channel *channel, uint8_t value)
{
    block_write(&channel->ata->platform, ata_control_block(channel), ATA_CONTROL, 1, value);
}
static inline uint32_t ata_bm_get(struct ata_channel *channel, uint32_t reg, unsigned bytes)
{
    return (uint32_t)block_read(&channel->ata->platform, BLOCK_REGION_BAR0 + 4,
                                channel->number * ATA_BM_CHANNEL_BYTES + reg, bytes);
}
static inline void ata_bm_put(struct ata_channel *channel, uint32_t reg, unsigned bytes,
                              uint32_t value)
{
    block_write(&channel->ata->platform, BLOCK_REGION_BAR0 + 4,
                channel->number * ATA_BM_CHANNEL_BYTES + reg, bytes, value);
}
static inline unsigned ata_unit(const struct ata_channel *channel, unsigned device)
{
    return ATA_DEVICES * channel->number + device;
}

/* -- ata_channel.c: what waits -- */

/* Chooses the device for the registers that follow. */
void ata_select(struct ata_channel *channel, unsigned device);
/* Resets the channel. At first (is_start) it looks for devices; later it sees whether those that were there still are,
   and marks the others as gone. Waits at most BLOCK_RESET_LIMIT_MS for each device. */
void ata_reset(struct ata_channel *channel, bool is_start);
/* Between the memory and the device, one sector. */
void ata_data_in(struct ata_channel *channel, uint8_t *to, uint32_t bytes);
void ata_data_out(struct ata_channel *channel, const uint8_t *from, uint32_t bytes);

/* -- ata_command.c: one command -- */

/* Gives channel->current to its device. */
void ata_issue(struct ata_channel *channel);
enum ata_result {
    ATA_RUNNING, /* or nothing that concerns the command */
    ATA_GOOD,
    ATA_BAD,    /* the device failed it; repeating does not help */
    ATA_REPEAT, /* repeat it as it is */
    ATA_RESET,  /* the device or the controller is in no good state */
};
/* Looks how far channel->current is, after an interrupt. */
enum ata_result ata_progress(struct ata_channel *channel);
/* Has the channel asked for an interrupt? */
bool ata_has_interrupt(struct ata_channel *channel);
/* Ends an interrupt that no command waits for; stops what DMA there is. */
void ata_quiet(struct ata_channel *channel);

#endif
