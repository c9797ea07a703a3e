// SPDX-License-Identifier: BSD-2-Clause
#include "services/storage/gpt.h"

#include <string.h>

/* UEFI 2.10, tables 5-3 and 5-4: the protective MBR. */
enum { MBR_RECORDS = 446, MBR_RECORD_BYTES = 16, MBR_TYPE = 4, MBR_SIGNATURE = 510 };
enum { MBR_TYPE_NONE = 0x00, MBR_TYPE_GPT = 0xee };
/* Table 5-5: the header. */
enum {
    HEADER_REVISION = 8,
    HEADER_SIZE = 12,
    HEADER_CRC = 16,
    HEADER_RESERVED = 20,
    HEADER_MY_LBA = 24,
    HEADER_ALTERNATE_LBA = 32,
    HEADER_FIRST_USABLE = 40,
    HEADER_LAST_USABLE = 48,
    HEADER_DISK_ID = 56,
    HEADER_ENTRIES_LBA = 72,
    HEADER_ENTRY_COUNT = 80,
    HEADER_ENTRY_BYTES = 84,
    HEADER_ENTRIES_CRC = 88,
    HEADER_BYTES = 92,
};
#define REVISION_1_0 0x00010000u
/* Table 5-6: an entry. */
enum { ENTRY_TYPE = 0, ENTRY_ID = 16, ENTRY_FIRST = 32, ENTRY_LAST = 40, ENTRY_BYTES = 128 };

#define PRIMARY_LBA 1u

struct header {
    uint64_t alternate, first_usable, last_usable, entries_lba;
    uint32_t entry_count, entry_bytes, entries_crc, entries_sectors;
    uint8_t disk_id[GUID_BYTES];
};

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

/* UEFI 2.10, 4.2: CRC-32 of polynomial 0x04c11db7, here with its bits reversed (0xedb88320), four bits
   of data at a time: of_nibble[n] is what n leaves after four steps. */
uint32_t gpt_crc32(const uint8_t *data, uint32_t size)
{
    static const uint32_t of_nibble[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
        0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
        0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = UINT32_MAX;

    for (uint32_t i = 0; i < size; i++) {
        crc ^= data[i];
        crc = crc >> 4 ^ of_nibble[crc & 15];
        crc = crc >> 4 ^ of_nibble[crc & 15];
    }
    return ~crc;
}

/* A hybrid MBR, which names other partitions too, is not protective: others go by what it says. */
static enum gpt_status check_mbr(const uint8_t *sector, const char **why)
{
    unsigned protective = 0, other = 0;

    if (sector[MBR_SIGNATURE] != 0x55 || sector[MBR_SIGNATURE + 1] != 0xaa)
        return GPT_NONE;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t type = sector[MBR_RECORDS + i * MBR_RECORD_BYTES + MBR_TYPE];
        protective += type == MBR_TYPE_GPT;
        other += type != MBR_TYPE_GPT && type != MBR_TYPE_NONE;
    }
    if (!protective)
        return GPT_NONE;
    *why = "its MBR names partitions beside the GPT";
    return protective == 1 && !other ? GPT_OK : GPT_REFUSED;
}

/* The places that the header names are on the disk and do not touch each other. */
static const char *check_places(const struct gpt_disk *disk, uint64_t lba, const struct header *h)
{
    uint64_t entries_end = h->entries_lba + h->entries_sectors;

    if (h->alternate >= disk->sectors || h->alternate == lba)
        return "its header's copy is said to be where it cannot be";
    if (h->first_usable > h->last_usable || h->last_usable >= disk->sectors ||
        h->first_usable < PRIMARY_LBA + 1 + h->entries_sectors)
        return "its header names a range that is not on the disk";
    if (h->entries_lba > disk->sectors || entries_end > disk->sectors)
        return "its entries are said to be behind the disk's end";
    if (lba == PRIMARY_LBA
            ? h->entries_lba <= lba || entries_end > h->first_usable ||
                  h->alternate <= h->last_usable
            : h->entries_lba <= h->last_usable || entries_end > lba || h->alternate != PRIMARY_LBA)
        return "its parts overlap";
    return NULL;
}

static const char *read_header(const struct gpt_disk *disk, uint64_t lba, struct header *h)
{
    uint8_t *b = disk->buffer;

    if (!disk->read(disk->ctx, lba, 1, b))
        return "its header cannot be read";
    if (memcmp(b, "EFI PART", 8))
        return "there is no header";
    uint32_t size = get32(b + HEADER_SIZE), crc = get32(b + HEADER_CRC);
    if (get32(b + HEADER_REVISION) != REVISION_1_0 || size < HEADER_BYTES ||
        size > disk->sector_bytes || get32(b + HEADER_RESERVED))
        return "its header is of an unknown version";
    memset(b + HEADER_CRC, 0, 4);
    if (gpt_crc32(b, size) != crc)
        return "its header's checksum is wrong";
    if (get64(b + HEADER_MY_LBA) != lba)
        return "its header was written for another place";
    h->alternate = get64(b + HEADER_ALTERNATE_LBA);
    h->first_usable = get64(b + HEADER_FIRST_USABLE);
    h->last_usable = get64(b + HEADER_LAST_USABLE);
    h->entries_lba = get64(b + HEADER_ENTRIES_LBA);
    h->entry_count = get32(b + HEADER_ENTRY_COUNT);
    h->entry_bytes = get32(b + HEADER_ENTRY_BYTES);
    h->entries_crc = get32(b + HEADER_ENTRIES_CRC);
    memcpy(h->disk_id, b + HEADER_DISK_ID, GUID_BYTES);
    /* 128 * 2^n bytes an entry. */
    if (h->entry_bytes < ENTRY_BYTES || h->entry_bytes > GPT_ENTRIES_BYTES ||
        (h->entry_bytes & (h->entry_bytes - 1)) || !h->entry_count ||
        h->entry_count > GPT_ENTRIES_BYTES / h->entry_bytes)
        return "its entries are too many or of an unknown size";
    h->entries_sectors =
        (h->entry_count * h->entry_bytes + disk->sector_bytes - 1) / disk->sector_bytes;
    return check_places(disk, lba, h);
}

/* Header and entries of one copy; the entries stay in the buffer. NULL: it is good. */
static const char *load(const struct gpt_disk *disk, uint64_t lba, struct header *h)
{
    const char *why = read_header(disk, lba, h);

    if (why)
        return why;
    if (!disk->read(disk->ctx, h->entries_lba, h->entries_sectors, disk->buffer))
        return "its entries cannot be read";
    if (gpt_crc32(disk->buffer, h->entry_count * h->entry_bytes) != h->entries_crc)
        return "its entries' checksum is wrong";
    return NULL;
}

static bool is_same(const struct header *a, const struct header *b)
{
    return !memcmp(a->disk_id, b->disk_id, GUID_BYTES) && a->entries_crc == b->entries_crc &&
           a->entry_count == b->entry_count && a->entry_bytes == b->entry_bytes &&
           a->first_usable == b->first_usable && a->last_usable == b->last_usable;
}

/* The table whose entries are in the buffer afterwards. NULL: there is one. */
static const char *choose(const struct gpt_disk *disk, struct header *h, const char **note)
{
    struct header backup;
    const char *why = load(disk, PRIMARY_LBA, h);
    uint64_t backup_lba = why ? disk->sectors - 1 : h->alternate;

    if (load(disk, backup_lba, &backup)) {
        *note = why ? NULL : "the second copy of its partition table is damaged";
        return why ? why : load(disk, PRIMARY_LBA, h);
    }
    if (why) {
        *h = backup;
        *note = "the first copy of its partition table is damaged";
        return NULL;
    }
    if (!is_same(h, &backup))
        return "its two copies differ";
    return load(disk, PRIMARY_LBA, h);
}

static bool is_used(const uint8_t *entry)
{
    static const uint8_t none[GUID_BYTES];

    return memcmp(entry + ENTRY_TYPE, none, GUID_BYTES) != 0;
}

static bool is_overlapped(const uint8_t *entries, const struct header *h, uint32_t number)
{
    const uint8_t *a = entries + number * h->entry_bytes;

    for (uint32_t i = 0; i < number; i++) {
        const uint8_t *b = entries + i * h->entry_bytes;
        if (is_used(b) && get64(a + ENTRY_FIRST) <= get64(b + ENTRY_LAST) &&
            get64(b + ENTRY_FIRST) <= get64(a + ENTRY_LAST))
            return true;
    }
    return false;
}

static const char *take_entries(const uint8_t *entries, const struct header *h,
                                struct gpt_result *result)
{
    static const uint8_t leat[GUID_BYTES] = GUID_LEAT_PARTITION;

    for (uint32_t i = 0; i < h->entry_count; i++) {
        const uint8_t *e = entries + i * h->entry_bytes;
        uint64_t first = get64(e + ENTRY_FIRST), last = get64(e + ENTRY_LAST);

        if (!is_used(e))
            continue;
        if (first < h->first_usable || last > h->last_usable || first > last)
            return "a partition lies outside of the range for partitions";
        if (is_overlapped(entries, h, i))
            return "two partitions overlap";
        if (memcmp(e + ENTRY_TYPE, leat, GUID_BYTES) || result->count == GPT_MAX_FOUND)
            continue;
        struct gpt_partition *p = &result->found[result->count++];
        p->first = first;
        p->sectors = last - first + 1;
        memcpy(p->id, e + ENTRY_ID, GUID_BYTES);
    }
    return NULL;
}

enum gpt_status gpt_find(const struct gpt_disk *disk, struct gpt_result *result)
{
    struct header header;
    enum gpt_status status;

    memset(result, 0, sizeof *result);
    /* Sectors of other sizes cannot hold what is above; the smallest table has two headers. */
    if ((disk->sector_bytes != 512 && disk->sector_bytes != 4096) || disk->sectors < 4)
        return GPT_NONE;
    if (!disk->read(disk->ctx, 0, 1, disk->buffer)) {
        result->why = "its first sector cannot be read";
        return GPT_REFUSED;
    }
    status = check_mbr(disk->buffer, &result->why);
    if (status != GPT_OK)
        return status;
    result->why = choose(disk, &header, &result->note);
    if (!result->why)
        result->why = take_entries(disk->buffer, &header, result);
    if (result->why)
        result->count = 0;
    return result->why ? GPT_REFUSED : GPT_OK;
}
