// SPDX-License-Identifier: BSD-2-Clause
/* The IDE driver as block.h wants it: start and stop, the queue of each channel, ends, time limits. */
#include "drivers/block/ata_private.h"

#include <string.h>

_Static_assert(ATA_CHANNELS *ATA_DEVICES == ATA_UNITS, "units");

static struct ata_device *device_at(struct ata *ata, unsigned unit)
{
    return &ata->channels[unit / ATA_DEVICES].devices[unit % ATA_DEVICES];
}

/* ---- commands ---- */

static void start_next(struct ata_channel *channel)
{
    if (!channel->current && (channel->current = block_queue_pop(&channel->waiting)))
        ata_issue(channel);
}

static void finish(struct ata_channel *channel, struct block_command *command, bool is_ok)
{
    if (!is_ok)
        channel->ata->counters.errors++;
    command->done(command, is_ok);
}

static void fail_all(struct ata_channel *channel, unsigned unit)
{
    struct block_queue lost = block_queue_split(&channel->waiting, unit);
    struct block_command *command;

    while ((command = block_queue_pop(&lost)))
        finish(channel, command, false);
}

static void repeat_or_fail(struct ata_channel *channel, struct block_command *command)
{
    if (block_may_repeat(command) && device_at(channel->ata, command->unit)->is_there) {
        command->tries++;
        channel->ata->counters.repeated++;
        block_queue_push_front(&channel->waiting, command);
    } else {
        finish(channel, command, false);
    }
}

static void reset_channel(struct ata_channel *channel)
{
    struct block_command *command = channel->current;

    channel->ata->counters.resets++;
    channel->current = NULL;
    if (command)
        block_log(&channel->ata->platform, "ata", command->unit,
                  "no answer, or a wrong one; reset");
    ata_quiet(channel);
    ata_reset(channel, false);
    if (command)
        repeat_or_fail(channel, command);
    for (unsigned i = 0; i < ATA_DEVICES; i++) {
        if (!channel->devices[i].is_there)
            fail_all(channel, ata_unit(channel, i));
    }
}

static void apply(struct ata_channel *channel, enum ata_result result)
{
    struct block_command *command = channel->current;

    if (result == ATA_RUNNING)
        return;
    if (result == ATA_RESET) {
        reset_channel(channel);
    } else if (result == ATA_GOOD &&
               ata_needs_flush(&device_at(channel->ata, command->unit)->identity, command)) {
        command->phase = ATA_PHASE_FLUSH;
        ata_issue(channel);
        return;
    } else {
        device_at(channel->ata, command->unit)->silences = 0;
        channel->current = NULL;
        if (result == ATA_REPEAT)
            repeat_or_fail(channel, command);
        else
            finish(channel, command, result == ATA_GOOD);
    }
    start_next(channel);
}

static const struct block_device_info *info(const void *state, unsigned unit)
{
    const struct ata *ata = state;

    if (!ata->is_started || unit >= ATA_UNITS)
        return NULL;
    const struct ata_device *device =
        &ata->channels[unit / ATA_DEVICES].devices[unit % ATA_DEVICES];
    return device->is_there ? &device->identity.info : NULL;
}

static int submit(void *state, unsigned unit, struct block_command *command)
{
    struct ata *ata = state;
    int error = block_accept(info(ata, unit), command, unit);

    if (error != LEAT_OK)
        return error;
    struct ata_channel *channel = &ata->channels[unit / ATA_DEVICES];
    block_queue_push(&channel->waiting, command);
    start_next(channel);
    return LEAT_OK;
}

static bool interrupt(void *state)
{
    struct ata *ata = state;
    bool is_ours = false;

    for (unsigned i = 0; ata->is_started && i < ATA_CHANNELS; i++) {
        struct ata_channel *channel = &ata->channels[i];
        if (!ata_has_interrupt(channel))
            continue;
        is_ours = true;
        ata->counters.interrupts++;
        if (channel->current && channel->issued == ATA_ISSUED)
            apply(channel, ata_progress(channel));
        else
            ata_quiet(channel);
    }
    return is_ours;
}

/* ---- time ---- */

static void check_channel(struct ata_channel *channel, uint64_t now)
{
    if (channel->current && channel->issued == ATA_NOTHING)
        apply(channel, ATA_GOOD);
    if (channel->current && channel->issued == ATA_ISSUED && now >= channel->check_ns) {
        bool is_by_cpu = channel->is_by_cpu && !(ata_status(channel) & ATA_STATUS_BSY);
        if (is_by_cpu || ata_has_interrupt(channel)) {
            channel->ata->counters.lost_interrupts++;
            apply(channel, ata_progress(channel));
        }
        channel->check_ns = now + BLOCK_CHECK_MS * BLOCK_NS_PER_MS;
    }
    if (!channel->current || (channel->issued == ATA_ISSUED && now < channel->current->deadline_ns))
        return;
    struct ata_device *device = device_at(channel->ata, channel->current->unit);
    channel->ata->counters.timeouts++;
    if (++device->silences == BLOCK_TRIES && device->is_there) {
        device->is_there = false;
        block_log(&channel->ata->platform, "ata", channel->current->unit,
                  "no answer, again and again");
    }
    reset_channel(channel);
    start_next(channel);
}

static uint64_t tick(void *state)
{
    struct ata *ata = state;
    uint64_t next = BLOCK_NEVER;

    for (unsigned i = 0; ata->is_started && i < ATA_CHANNELS; i++) {
        struct ata_channel *channel = &ata->channels[i];
        check_channel(channel, block_now(&ata->platform));
        if (channel->current && channel->issued != ATA_ISSUED)
            next = 0;
        else if (channel->current && channel->check_ns < next)
            next = channel->check_ns;
    }
    return next;
}

/* ---- life ---- */

static bool has_bus_mastering(const struct block_platform *platform, unsigned channel)
{
    if (platform->region_bytes(platform->context, BLOCK_REGION_BAR0 + 4) <
        ATA_CHANNELS * ATA_BM_CHANNEL_BYTES)
        return false;
    uint8_t status = (uint8_t)block_read(platform, BLOCK_REGION_BAR0 + 4, ATA_BM_STATUS, 1);
    return status != 0xff && !(channel > 0 && (status & ATA_BM_SIMPLEX));
}

static void start_channel(struct ata *ata, unsigned number, const struct block_dma *dma)
{
    struct ata_channel *channel = &ata->channels[number];

    channel->ata = ata;
    channel->number = (uint8_t)number;
    channel->selected = ATA_DEVICES;
    channel->table = dma->va + 4096u * number;
    channel->table_hpa = (uint32_t)(dma->hpa + 4096u * number);
    channel->has_dma = has_bus_mastering(&ata->platform, number);
    if (channel->has_dma)
        ata_bm_put(channel, ATA_BM_COMMAND, 1, 0);
    ata_reset(channel, true);
}

static int start(void *state, const struct block_platform *platform, const struct block_dma *dma)
{
    struct ata *ata = state;

    memset(ata, 0, sizeof(*ata));
    ata->platform = *platform;
    for (unsigned i = 0; i < 2 * ATA_CHANNELS; i++) {
        if (!platform->region_bytes(platform->context, BLOCK_REGION_PORTS + i))
            return LEAT_EINVAL;
    }
    if (!block_dma_is_good(dma, ATA_DMA_BYTES))
        return LEAT_EINVAL;
    for (unsigned i = 0; i < ATA_CHANNELS; i++)
        start_channel(ata, i, dma);
    ata->is_started = true;
    return LEAT_OK;
}

static void stop(void *state)
{
    struct ata *ata = state;

    for (unsigned i = 0; ata->is_started && i < ATA_CHANNELS; i++) {
        struct ata_channel *channel = &ata->channels[i];
        ata_control(channel, ATA_CONTROL_NIEN);
        block_delay(&ata->platform, 1); /* a command may have been given just now: 400 ns */
        ata_quiet(channel);
        channel->current = NULL;
        channel->waiting = (struct block_queue){0};
    }
    ata->is_started = false;
}

static unsigned unit_count(const void *state)
{
    (void)state;
    return ATA_UNITS;
}

static const struct block_counters *counters(const void *state)
{
    return &((const struct ata *)state)->counters;
}

const struct block_driver block_driver_ata = {
    .name = "ata",
    .state_bytes = sizeof(struct ata),
    .dma_bytes = ATA_DMA_BYTES,
    .start = start,
    .unit_count = unit_count,
    .info = info,
    .submit = submit,
    .interrupt = interrupt,
    .tick = tick,
    .stop = stop,
    .counters = counters,
};
