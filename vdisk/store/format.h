// SPDX-License-Identifier: BSD-2-Clause
/*
 * The format on the disk. Everything is pages of 4 KiB, little-endian; metadata pages begin with
 * one header and a CRC32C over all that follows it.
 *
 *   header     0 magic "LEATSTOR"   8 crc32c of bytes 12..4095   12 version u16   14 kind u16
 *             16 store id u64      24 number u64                 32 index u32     36 records u32
 *             40 session u64       48 previous u64               56 batch u64     64 records
 *
 *   kind       number is                        records
 *   SUPER      generation                       struct format_super, once
 *   OBJECTS    checkpoint, or journal sequence  objects, 128 bytes each
 *   ROOT       checkpoint                       for each index page: crc32c u32, flags u32
 *   INDEX      checkpoint that wrote it         for each slot: key u64, crc32c u32
 *   CHANGES    journal sequence                 slot u32, crc32c u32, key u64
 *
 * Layout of the range, in pages; what stands twice is written twice:
 *
 *   super x2 | journal | root x2 | index x2 | data | index x2 | root x2 | journal | super x2
 *   ---------------- copy 0 ----------------        ---------------- copy 1 ----------------
 *
 * of root and index, "x2" are two generations: a checkpoint writes the one that is not in use.
 */
#ifndef VDISK_STORE_FORMAT_H
#define VDISK_STORE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk/store/store.h"

#define FORMAT_PAGE 4096u
#define FORMAT_HEADER 64u
#define FORMAT_VERSION 1u
#define FORMAT_PAYLOAD (FORMAT_PAGE - FORMAT_HEADER)
#define FORMAT_OBJECT_BYTES 128u
#define FORMAT_OBJECTS_PER_PAGE (FORMAT_PAYLOAD / FORMAT_OBJECT_BYTES) /* 31 */
#define FORMAT_ROOTS_PER_PAGE (FORMAT_PAYLOAD / 8u)                    /* 504 */
#define FORMAT_SLOTS_PER_PAGE (FORMAT_PAYLOAD / 12u)                   /* 336 */
#define FORMAT_CHANGES_PER_PAGE (FORMAT_PAYLOAD / 16u)                 /* 252 */
#define FORMAT_OBJECT_PAGES                                                                        \
    ((STORE_OBJECTS + FORMAT_OBJECTS_PER_PAGE - 1) / FORMAT_OBJECTS_PER_PAGE)
#define FORMAT_SUPER_PAGES 4u
#define FORMAT_MIN_PAGES 256u

enum format_kind {
    FORMAT_SUPER = 1,
    FORMAT_OBJECTS = 2,
    FORMAT_ROOT = 3,
    FORMAT_INDEX = 4,
    FORMAT_CHANGES = 5,
};

struct format_header {
    enum format_kind kind;
    uint64_t store_id, number;
    uint32_t index, records;
    uint64_t session, previous, batch; /* of journal pages: see journal.h */
};

/* Writes header and checksum; the records are there already. */
void format_seal(uint8_t *page, const struct format_header *header);
/* False: no page of ours, damaged, or of another version. Everything else of the header is still to
   be compared with what is expected; records fit in the page. */
bool format_check(const uint8_t *page, struct format_header *header);

/* Sizes of the areas, all from the number of pages that the store uses. */
struct format_layout {
    uint64_t pages;                                  /* of the whole store */
    uint32_t slots;                                  /* pages of data */
    uint32_t journal_pages, root_pages, index_pages; /* of one copy of one generation */
};
/* False: too small (1 MiB) or too large (2^31 slots: 8 TiB). */
bool format_layout(uint64_t pages, struct format_layout *layout);
uint64_t format_super_page(const struct format_layout *l, unsigned which); /* 0 .. 3 */
uint64_t format_journal_page(const struct format_layout *l, unsigned copy, uint64_t sequence);
uint64_t format_root_page(const struct format_layout *l, unsigned copy, unsigned generation,
                          uint32_t index);
uint64_t format_index_page(const struct format_layout *l, unsigned copy, unsigned generation,
                           uint32_t index);
uint64_t format_data_page(const struct format_layout *l, uint32_t slot);

struct format_super {
    uint64_t pages;          /* format_layout() gives the rest */
    uint64_t checkpoint;     /* number; its lowest bit is the generation of the root in use */
    uint64_t journal_first;  /* sequence of the first page that is newer than the checkpoint */
    uint64_t journal_chain;  /* session of the page before that */
    uint64_t next_object_id; /* at least; larger than any in the checkpoint */
};
void format_put_super(uint8_t *page, const struct format_super *super);
void format_get_super(const uint8_t *page, struct format_super *super);

/* What a slot holds. */
struct format_key {
    uint64_t block;         /* below 2^40; of a group: block / 512 */
    uint8_t object, mask;   /* mask: of 512-byte sectors that are held */
    bool is_zero, is_group; /* is_zero: no data, reads as zeros; is_group: for 512 blocks */
};
#define FORMAT_NO_KEY 0u
uint64_t format_pack_key(const struct format_key *key); /* never FORMAT_NO_KEY */
/* False: FORMAT_NO_KEY, or what format_pack_key never gives. */
bool format_unpack_key(uint64_t packed, struct format_key *key);

enum format_object_state { FORMAT_OBJECT_FREE, FORMAT_OBJECT_LIVE, FORMAT_OBJECT_DYING };
enum format_object_kind { FORMAT_IMAGE = 1, FORMAT_DIFFERENCE = 2, FORMAT_BLOB = 3 };
struct format_object {
    uint8_t number, state, kind;
    bool is_damaged;
    uint64_t id; /* never given twice in a store */
    uint64_t size_bytes;
    uint8_t content[STORE_CONTENT_BYTES];
    char name[STORE_NAME_BYTES];
};
void format_put_object(uint8_t *page, uint32_t record, const struct format_object *object);
/* False: no possible object. */
bool format_get_object(const uint8_t *page, uint32_t record, struct format_object *object);

enum format_root_flag {
    FORMAT_ROOT_PRESENT = 1,    /* else all its slots are free and there is no page */
    FORMAT_ROOT_GENERATION = 2, /* the page is in generation 1 */
    FORMAT_ROOT_OWNS = 4,       /* some slot belongs to a difference or blob */
};
void format_put_root(uint8_t *page, uint32_t record, uint32_t crc, uint32_t flags);
void format_get_root(const uint8_t *page, uint32_t record, uint32_t *crc, uint32_t *flags);
void format_put_slot(uint8_t *page, uint32_t record, uint64_t key, uint32_t crc);
void format_get_slot(const uint8_t *page, uint32_t record, uint64_t *key, uint32_t *crc);
void format_put_change(uint8_t *page, uint32_t record, uint32_t slot, uint64_t key, uint32_t crc);
void format_get_change(const uint8_t *page, uint32_t record, uint32_t *slot, uint64_t *key,
                       uint32_t *crc);
/* The CRC that the page carries. */
uint32_t format_page_crc(const uint8_t *page);

/* Of a block: over who it is, and its data (NULL: none, is_zero). A block that was written for
   another image, place or store does not match. */
uint32_t format_block_crc(uint64_t store_id, uint64_t object_id, const struct format_key *key,
                          const uint8_t *data);

#endif
