// SPDX-License-Identifier: BSD-2-Clause
/*
 * Finds the partitions of Leat's own type in a GUID partition table (UEFI 2.10, section 5.3). What
 * is read from the disk is hostile input: a table that contradicts itself or its copy is refused as
 * a whole, since what it says of Leat's partition may then be wrong too. Reads only. Portable.
 */
#ifndef STORAGE_GPT_H
#define STORAGE_GPT_H

#include "services/storage/guid.h"

#define GPT_MAX_FOUND 8u
#define GPT_ENTRIES_BYTES (128u << 10) /* of a table; 128 entries of 128 bytes are usual */
#define GPT_BUFFER_BYTES (GPT_ENTRIES_BYTES + 4096u)

struct gpt_disk {
    uint64_t sectors;
    uint32_t sector_bytes; /* 512 or 4096 */
    /* Fills data with so many sectors, which lie on the disk; false: they cannot be read. */
    bool (*read)(void *ctx, uint64_t sector, uint32_t count, uint8_t *data);
    void *ctx;
    uint8_t *buffer; /* GPT_BUFFER_BYTES for the time of the call */
};

struct gpt_partition {
    uint64_t first, sectors; /* inside the disk, and in no other partition */
    uint8_t id[GUID_BYTES];  /* its own */
};

enum gpt_status {
    GPT_OK,      /* a good table; there may still be no partition of Leat's in it */
    GPT_NONE,    /* the disk has no GPT */
    GPT_REFUSED, /* why: what is wrong with it */
};

struct gpt_result {
    unsigned count;   /* partitions of Leat's type */
    const char *why;  /* of REFUSED: a phrase for people */
    const char *note; /* of OK: one copy of the table is damaged; else NULL */
    struct gpt_partition found[GPT_MAX_FOUND];
};

enum gpt_status gpt_find(const struct gpt_disk *disk, struct gpt_result *result);

/* CRC-32 of ISO 3309, as the table uses it. */
uint32_t gpt_crc32(const uint8_t *data, uint32_t size);

#endif
