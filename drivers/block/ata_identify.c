// SPDX-License-Identifier: BSD-2-Clause
#include "drivers/block/ata_identify.h"
#include "drivers/block/core.h"

#include <string.h>

#define MAX_28_BIT (1ull << 28)
#define MAX_48_BIT (1ull << 48)

static uint16_t word(const uint8_t *data, unsigned index)
{
    return (uint16_t)(data[2 * index] | data[2 * index + 1] << 8);
}

static uint32_t word2(const uint8_t *data, unsigned index)
{
    return word(data, index) | (uint32_t)word(data, index + 1) << 16;
}

static bool bit(const uint8_t *data, unsigned index, unsigned number)
{
    return word(data, index) >> number & 1;
}

/* Words 83, 84 and 106 mean something only if their bits 15:14 are 01b (ACS 7.16). */
static bool bit_if_valid(const uint8_t *data, unsigned index, unsigned number)
{
    return word(data, index) >> 14 == 1 && bit(data, index, number);
}

/* Two characters a word, the first in its upper half (ACS 3.2.9). */
static void name(char *to, const uint8_t *data, unsigned index, unsigned words)
{
    uint8_t swapped[40];

    for (unsigned i = 0; i < words; i++) {
        swapped[2 * i] = data[2 * (index + i) + 1];
        swapped[2 * i + 1] = data[2 * (index + i)];
    }
    block_copy_name(to, swapped, 2 * words);
}

static void read_sizes(struct ata_identity *id, const uint8_t *data)
{
    struct block_device_info *info = &id->info;

    info->sector_bytes = ATA_SECTOR;
    if (bit_if_valid(data, ATA_ID_SECTOR_SIZE, 12)) {
        uint32_t words = word2(data, ATA_ID_SECTOR_WORDS);
        info->sector_bytes = words <= 2048 ? 2 * words : 0; /* 0 is refused later */
    }
    info->physical_bytes = info->sector_bytes;
    if (bit_if_valid(data, ATA_ID_SECTOR_SIZE, 13))
        info->physical_bytes <<= word(data, ATA_ID_SECTOR_SIZE) & 0xf;
    info->sectors = word2(data, ATA_ID_SECTORS_28);
    if (id->has_48_bit)
        info->sectors =
            word2(data, ATA_ID_SECTORS_48) | (uint64_t)word2(data, ATA_ID_SECTORS_48 + 2) << 32;
    info->max_sectors = id->has_48_bit ? 65536 : 256; /* a count of 0 in the register */
}

static void read_features(struct ata_identity *id, const uint8_t *data)
{
    struct block_device_info *info = &id->info;

    id->has_48_bit = bit_if_valid(data, ATA_ID_SUPPORTED_83, 10);
    id->has_flush = bit_if_valid(data, ATA_ID_SUPPORTED_83, 12);
    id->has_flush_ext = id->has_48_bit && bit_if_valid(data, ATA_ID_SUPPORTED_83, 13);
    id->has_switchable_cache = bit(data, ATA_ID_SUPPORTED_82, 5);
    id->has_cache_on = bit(data, ATA_ID_ENABLED_85, 5);
    id->has_dma = bit(data, ATA_ID_CAPABILITIES, 8);
    uint16_t multiword = word(data, ATA_ID_MULTIWORD);
    id->multiword_mode = multiword & 4 ? 2 : multiword & 2 ? 1 : multiword & 1 ? 0 : 0xff;
    id->is_dma_mode_set = (multiword >> 8 & 7) || (bit(data, ATA_ID_VALID, 2) &&
                                                   (word(data, ATA_ID_ULTRA_DMA) >> 8 & 0x7f));
    id->has_trim = id->has_48_bit && bit(data, ATA_ID_DSM, 0);
    bool has_ncq = word(data, ATA_ID_SERIAL_ATA) != 0xffff && bit(data, ATA_ID_SERIAL_ATA, 8);
    id->queue_depth = has_ncq && id->has_48_bit ? (word(data, ATA_ID_QUEUE_DEPTH) & 0x1f) + 1 : 0;
    /* A device that has a flush command may have a cache, whatever it says of that. */
    info->has_write_cache = id->has_flush || id->has_flush_ext || id->has_cache_on;
    info->has_fua = id->has_48_bit && bit_if_valid(data, ATA_ID_SUPPORTED_84, 6);
    info->max_discard_sectors = id->has_trim ? ATA_TRIM_MAX_SECTORS : 0;
    info->queue_depth = 1;
}

const char *ata_identify(struct ata_identity *id, const uint8_t *data)
{
    memset(id, 0, sizeof(*id));
    if (bit(data, ATA_ID_GENERAL, 15))
        return "what it says of itself is no ATA disk's";
    if (!bit(data, ATA_ID_CAPABILITIES, 9))
        return "it knows no LBA";
    read_features(id, data);
    read_sizes(id, data);
    if (!block_sizes_are_good(id->info.sectors, id->info.sector_bytes, id->info.physical_bytes) ||
        id->info.sectors > (id->has_48_bit ? MAX_48_BIT : MAX_28_BIT))
        return "the size that it tells is not possible";
    name(id->info.model, data, ATA_ID_MODEL, 20);
    name(id->info.serial, data, ATA_ID_SERIAL, 10);
    name(id->info.firmware, data, ATA_ID_FIRMWARE, 4);
    return NULL;
}

bool ata_is_same(const struct ata_identity *a, const struct ata_identity *b)
{
    return a->info.sectors == b->info.sectors && a->info.sector_bytes == b->info.sector_bytes &&
           strcmp(a->info.model, b->info.model) == 0 && strcmp(a->info.serial, b->info.serial) == 0;
}

static struct ata_taskfile build_flush(const struct ata_identity *id)
{
    return (struct ata_taskfile){
        .command = id->has_flush_ext ? ATA_FLUSH_CACHE_EXT : ATA_FLUSH_CACHE,
        .is_48_bit = id->has_flush_ext,
    };
}

static uint8_t transfer_command(const struct ata_identity *id, const struct block_command *command,
                                bool is_dma)
{
    static const uint8_t commands[2][2][2] = {
        /* by write, DMA, 48 bits */
        {{ATA_READ_SECTORS, ATA_READ_SECTORS_EXT}, {ATA_READ_DMA, ATA_READ_DMA_EXT}},
        {{ATA_WRITE_SECTORS, ATA_WRITE_SECTORS_EXT}, {ATA_WRITE_DMA, ATA_WRITE_DMA_EXT}},
    };

    if (command->fua && id->info.has_fua && is_dma)
        return ATA_WRITE_DMA_FUA_EXT;
    return commands[command->op == BLOCK_WRITE][is_dma][id->has_48_bit];
}

struct ata_taskfile ata_build(const struct ata_identity *id, const struct block_command *command,
                              bool is_dma)
{
    if (command->op == BLOCK_FLUSH || command->phase == ATA_PHASE_FLUSH)
        return build_flush(id);
    struct ata_taskfile tf = {
        .device = ATA_DEVICE_LBA, .is_48_bit = id->has_48_bit, .has_data = true};
    if (command->op == BLOCK_DISCARD) { /* ACS 7.10: the LBAs are in the data */
        tf.command = ATA_DATA_SET_MANAGEMENT;
        tf.feature = ATA_DSM_TRIM;
        tf.count = 1;
        tf.is_48_bit = tf.is_write = true;
        return tf;
    }
    tf.command = transfer_command(id, command, is_dma);
    tf.is_write = command->op == BLOCK_WRITE;
    tf.count = (uint16_t)(id->has_48_bit ? command->sectors & 0xffff : command->sectors & 0xff);
    tf.lba = command->lba;
    if (!id->has_48_bit)
        tf.device |= (uint8_t)(command->lba >> 24 & 0xf);
    return tf;
}

bool ata_needs_flush(const struct ata_identity *id, const struct block_command *command)
{
    return command->op == BLOCK_WRITE && command->fua && command->phase == ATA_PHASE_FIRST &&
           id->info.has_write_cache && !id->info.has_fua;
}

/* ACS 7.10.3.2: entries of 48 bits LBA and 16 bits length; length 0: none. */
void ata_trim_list(uint8_t *list, uint64_t lba, uint32_t sectors)
{
    memset(list, 0, ATA_SECTOR);
    for (unsigned at = 0; sectors && at < ATA_SECTOR; at += 8) {
        uint32_t count = sectors < 0xffff ? sectors : 0xffff;
        uint64_t entry = lba | (uint64_t)count << 48;
        for (unsigned i = 0; i < 8; i++)
            list[at + i] = (uint8_t)(entry >> (8 * i));
        lba += count;
        sectors -= count;
    }
}
