// SPDX-License-Identifier: BSD-2-Clause
#include "drivers/block/core.h"

void block_queue_push(struct block_queue *queue, struct block_command *command)
{
    command->next = NULL;
    if (queue->last)
        queue->last->next = command;
    else
        queue->first = command;
    queue->last = command;
}

void block_queue_push_front(struct block_queue *queue, struct block_command *command)
{
    command->next = queue->first;
    queue->first = command;
    if (!queue->last)
        queue->last = command;
}

struct block_command *block_queue_pop(struct block_queue *queue)
{
    struct block_command *command = queue->first;

    if (command) {
        queue->first = command->next;
        if (!queue->first)
            queue->last = NULL;
        command->next = NULL;
    }
    return command;
}

struct block_queue block_queue_split(struct block_queue *queue, unsigned unit)
{
    struct block_queue rest = {0}, split = {0};
    struct block_command *command;

    while ((command = block_queue_pop(queue)))
        block_queue_push(command->unit == unit ? &split : &rest, command);
    *queue = rest;
    return split;
}

static int check_data(const struct block_device_info *info, const struct block_command *command)
{
    uint64_t bytes = (uint64_t)command->sectors * info->sector_bytes;

    if (command->sectors > info->max_sectors || !command->data ||
        command->data_hpa % BLOCK_DATA_ALIGN || command->data_hpa > (1ull << 32) - bytes)
        return LEAT_EINVAL;
    return LEAT_OK;
}

int block_check(const struct block_device_info *info, const struct block_command *command)
{
    if (!info)
        return LEAT_EIO;
    if (!command->done || (command->fua && command->op != BLOCK_WRITE))
        return LEAT_EINVAL;
    if (command->op == BLOCK_FLUSH)
        return command->sectors || command->lba ? LEAT_EINVAL : LEAT_OK;
    if (command->op > BLOCK_DISCARD || command->sectors == 0)
        return LEAT_EINVAL;
    if (command->op == BLOCK_DISCARD) {
        if (command->sectors > info->max_discard_sectors)
            return LEAT_EINVAL;
    } else if (check_data(info, command) != LEAT_OK) {
        return LEAT_EINVAL;
    }
    if (command->lba >= info->sectors || command->sectors > info->sectors - command->lba)
        return LEAT_ERANGE;
    return info->is_read_only && command->op != BLOCK_READ ? LEAT_EROFS : LEAT_OK;
}

int block_accept(const struct block_device_info *info, struct block_command *command, unsigned unit)
{
    int error = block_check(info, command);

    if (error == LEAT_OK) {
        command->unit = (uint8_t)unit;
        command->tries = command->phase = 0;
    }
    return error;
}

bool block_may_repeat(const struct block_command *command)
{
    return command->op != BLOCK_FLUSH && command->phase == 0 && command->tries + 1u < BLOCK_TRIES;
}

bool block_dma_is_good(const struct block_dma *dma, size_t bytes)
{
    return dma->size >= bytes && !(dma->hpa & 0xfff) && !((uintptr_t)dma->va & 0xfff) &&
           dma->size <= 1ull << 32 && dma->hpa <= (1ull << 32) - dma->size;
}

void block_log(const struct block_platform *platform, const char *driver, unsigned unit,
               const char *what)
{
    char line[128];
    size_t length = 0, digits = 1;
    const char *const parts[] = {driver, ": disk ", NULL, ": ", what};

    for (unsigned rest = unit; rest >= 10; rest /= 10)
        digits++;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (const char *c = parts[i]; c && *c && length + digits + 1 < sizeof(line); c++)
            line[length++] = *c;
        if (!parts[i]) {
            for (size_t at = digits; at-- > 0; unit /= 10)
                line[length + at] = (char)('0' + unit % 10);
            length += digits;
        }
    }
    line[length] = 0;
    platform->log(platform->context, line);
}

void block_copy_name(char *to, const uint8_t *from, size_t size)
{
    size_t length = 0;

    while (size && (*from <= ' ' || *from > '~'))
        from++, size--;
    for (size_t i = 0; i < size; i++) {
        bool is_printable = from[i] > ' ' && from[i] <= '~';
        to[i] = is_printable ? (char)from[i] : ' ';
        if (is_printable)
            length = i + 1;
    }
    to[length] = 0;
}

bool block_sizes_are_good(uint64_t sectors, uint32_t sector_bytes, uint32_t physical_bytes)
{
    return sector_bytes >= 512 && sector_bytes <= 4096 && !(sector_bytes & (sector_bytes - 1)) &&
           physical_bytes >= sector_bytes && physical_bytes % sector_bytes == 0 && sectors >= 1 &&
           sectors <= (uint64_t)INT64_MAX / sector_bytes;
}
