// SPDX-License-Identifier: BSD-2-Clause
/* Makes disks with a GPT in memory, for tests and the fuzzer. */
#ifndef TESTS_GPT_MAKER_H
#define TESTS_GPT_MAKER_H

#include <string.h>

#include "services/storage/gpt.h"

#define MADE_ENTRIES 128u
#define MADE_ENTRY_BYTES 128u

struct made_disk {
    uint8_t *bytes;
    uint64_t sectors;
    uint32_t sector_bytes;
    uint64_t fail_sector; /* reads of it fail; UINT64_MAX: none */
};

static inline void put_number(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static inline uint8_t *made_at(const struct made_disk *d, uint64_t sector)
{
    return d->bytes + sector * d->sector_bytes;
}

static inline uint32_t made_table_sectors(const struct made_disk *d)
{
    return MADE_ENTRIES * MADE_ENTRY_BYTES / d->sector_bytes;
}

/* Entry `number` of the first copy; both copies after made_seal. */
static inline uint8_t *made_entry(const struct made_disk *d, uint32_t number)
{
    return made_at(d, 2) + number * MADE_ENTRY_BYTES;
}

static inline void made_partition(const struct made_disk *d, uint32_t number, const uint8_t *type,
                                  uint64_t first, uint64_t last)
{
    uint8_t *e = made_entry(d, number);
    memcpy(e, type, GUID_BYTES);
    memset(e + 16, (int)number + 1, GUID_BYTES);
    put_number(e + 32, first, 8);
    put_number(e + 40, last, 8);
}

/* The checksum of the header in that sector. */
static inline void made_seal_header(const struct made_disk *d, uint64_t lba)
{
    uint8_t *h = made_at(d, lba);
    put_number(h + 16, 0, 4);
    put_number(h + 16, gpt_crc32(h, 92), 4);
}

static inline void made_header(const struct made_disk *d, uint64_t lba, uint64_t alternate,
                               uint64_t entries)
{
    uint8_t *h = made_at(d, lba);
    uint32_t table = made_table_sectors(d);
    memset(h, 0, d->sector_bytes);
    memcpy(h, "EFI PART", 8);
    put_number(h + 8, 0x00010000, 4);
    put_number(h + 12, 92, 4);
    put_number(h + 24, lba, 8);
    put_number(h + 32, alternate, 8);
    put_number(h + 40, 2 + table, 8);
    put_number(h + 48, d->sectors - 2 - table, 8);
    memset(h + 56, 0x77, GUID_BYTES);
    put_number(h + 72, entries, 8);
    put_number(h + 80, MADE_ENTRIES, 4);
    put_number(h + 84, MADE_ENTRY_BYTES, 4);
    put_number(h + 88, gpt_crc32(made_at(d, entries), MADE_ENTRIES * MADE_ENTRY_BYTES), 4);
    made_seal_header(d, lba);
}

/* Both headers, and the second copy of the entries, after the first one. */
static inline void made_seal(const struct made_disk *d)
{
    uint32_t table = made_table_sectors(d);
    memcpy(made_at(d, d->sectors - 1 - table), made_at(d, 2), MADE_ENTRIES * MADE_ENTRY_BYTES);
    made_header(d, 1, d->sectors - 1, 2);
    made_header(d, d->sectors - 1, 1, d->sectors - 1 - table);
}

/* The protective MBR and an empty table, to be filled and sealed. */
static inline void made_begin(const struct made_disk *d)
{
    memset(d->bytes, 0, d->sectors * d->sector_bytes);
    d->bytes[446 + 4] = 0xee;
    put_number(d->bytes + 446 + 8, 1, 4);
    put_number(d->bytes + 446 + 12, d->sectors - 1, 4);
    d->bytes[510] = 0x55;
    d->bytes[511] = 0xaa;
}

static inline bool made_read(void *ctx, uint64_t sector, uint32_t count, uint8_t *data)
{
    const struct made_disk *d = ctx;
    if (count == 0 || sector >= d->sectors || count > d->sectors - sector ||
        (uint64_t)count * d->sector_bytes > GPT_BUFFER_BYTES)
        __builtin_trap(); /* a read outside of the disk or the buffer */
    memcpy(data, made_at(d, sector), (size_t)count * d->sector_bytes);
    return d->fail_sector < sector || d->fail_sector >= sector + count;
}

#endif
