// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/store/format.h"

#include <string.h>

#include "vdisk/bytes.h"
#include "vdisk/store/crc32c.h"

static const char magic[8] = {'L', 'E', 'A', 'T', 'S', 'T', 'O', 'R'};
#define CRC_FROM 12u /* the header's first byte that the CRC covers */
#define KEY_PRESENT (1ull << 63)
#define KEY_BLOCK ((1ull << 40) - 1)
#define KEY_UNUSED (1ull << 47 | 0x1full << 58)
#define MAX_SLOTS (1ull << 31)

void format_seal(uint8_t *page, const struct format_header *h)
{
    memcpy(page, magic, sizeof magic);
    bytes_put(page + 12, FORMAT_VERSION, 2);
    bytes_put(page + 14, h->kind, 2);
    bytes_put(page + 16, h->store_id, 8);
    bytes_put(page + 24, h->number, 8);
    bytes_put(page + 32, h->index, 4);
    bytes_put(page + 36, h->records, 4);
    bytes_put(page + 40, h->session, 8);
    bytes_put(page + 48, h->previous, 8);
    bytes_put(page + 56, h->batch, 8);
    bytes_put(page + 8, crc32c(0, page + CRC_FROM, FORMAT_PAGE - CRC_FROM), 4);
}

static uint32_t most_records(unsigned kind)
{
    switch (kind) {
    case FORMAT_SUPER:
        return 1;
    case FORMAT_OBJECTS:
        return FORMAT_OBJECTS_PER_PAGE;
    case FORMAT_ROOT:
        return FORMAT_ROOTS_PER_PAGE;
    case FORMAT_INDEX:
        return FORMAT_SLOTS_PER_PAGE;
    case FORMAT_CHANGES:
        return FORMAT_CHANGES_PER_PAGE;
    default:
        return 0;
    }
}

bool format_check(const uint8_t *page, struct format_header *h)
{
    if (memcmp(page, magic, sizeof magic) || bytes_get(page + 12, 2) != FORMAT_VERSION)
        return false;
    if (format_page_crc(page) != crc32c(0, page + CRC_FROM, FORMAT_PAGE - CRC_FROM))
        return false;
    *h = (struct format_header){.kind = (enum format_kind)bytes_get(page + 14, 2),
                                .store_id = bytes_get(page + 16, 8),
                                .number = bytes_get(page + 24, 8),
                                .index = (uint32_t)bytes_get(page + 32, 4),
                                .records = (uint32_t)bytes_get(page + 36, 4),
                                .session = bytes_get(page + 40, 8),
                                .previous = bytes_get(page + 48, 8),
                                .batch = bytes_get(page + 56, 8)};
    return h->records <= most_records(h->kind);
}

uint32_t format_page_crc(const uint8_t *page)
{
    return (uint32_t)bytes_get(page + 8, 4);
}

static uint64_t divide_up(uint64_t n, uint64_t by)
{
    return (n + by - 1) / by;
}

static uint64_t journal_size(uint64_t pages)
{
    uint64_t size = pages / 512;
    return size < 32 ? 32 : size > 4096 ? 4096 : size;
}

bool format_layout(uint64_t pages, struct format_layout *l)
{
    if (pages < FORMAT_MIN_PAGES || pages > MAX_SLOTS)
        return false;
    uint64_t journal = journal_size(pages), slots = pages, index, root, fixed;
    for (;;) { /* the index shrinks with the slots: a few rounds at most */
        index = divide_up(slots, FORMAT_SLOTS_PER_PAGE);
        root = FORMAT_OBJECT_PAGES + divide_up(index, FORMAT_ROOTS_PER_PAGE);
        fixed = FORMAT_SUPER_PAGES + 2 * (journal + 2 * root + 2 * index);
        if (fixed + slots <= pages)
            break;
        slots -= fixed + slots - pages;
    }
    *l = (struct format_layout){.pages = pages,
                                .slots = (uint32_t)slots,
                                .journal_pages = (uint32_t)journal,
                                .root_pages = (uint32_t)root,
                                .index_pages = (uint32_t)index};
    return true;
}

uint64_t format_super_page(const struct format_layout *l, unsigned which)
{
    return which < 2 ? which : l->pages - FORMAT_SUPER_PAGES + which;
}

/* The pages of copy 0 behind its superblocks; copy 1 lies as far from the end. */
static uint64_t copy_size(const struct format_layout *l)
{
    return (uint64_t)l->journal_pages + 2 * (uint64_t)l->root_pages + 2 * (uint64_t)l->index_pages;
}

static uint64_t in_copy(const struct format_layout *l, unsigned copy, uint64_t page)
{
    return copy == 0 ? 2 + page : l->pages - 2 - copy_size(l) + page;
}

uint64_t format_journal_page(const struct format_layout *l, unsigned copy, uint64_t sequence)
{
    return in_copy(l, copy, sequence % l->journal_pages);
}

uint64_t format_root_page(const struct format_layout *l, unsigned copy, unsigned generation,
                          uint32_t index)
{
    return in_copy(l, copy, l->journal_pages + (uint64_t)generation * l->root_pages + index);
}

uint64_t format_index_page(const struct format_layout *l, unsigned copy, unsigned generation,
                           uint32_t index)
{
    return in_copy(l, copy,
                   l->journal_pages + 2 * (uint64_t)l->root_pages +
                       (uint64_t)generation * l->index_pages + index);
}

uint64_t format_data_page(const struct format_layout *l, uint32_t slot)
{
    return 2 + copy_size(l) + slot;
}

void format_put_super(uint8_t *page, const struct format_super *s)
{
    static const char label[] = "Leat store: cached blocks and differences of disks";
    uint8_t *at = page + FORMAT_HEADER;
    bytes_put(at, s->pages, 8);
    bytes_put(at + 8, s->checkpoint, 8);
    bytes_put(at + 16, s->journal_first, 8);
    bytes_put(at + 24, s->journal_chain, 8);
    bytes_put(at + 32, s->next_object_id, 8);
    memcpy(at + 64, label, sizeof label);
}

void format_get_super(const uint8_t *page, struct format_super *s)
{
    const uint8_t *at = page + FORMAT_HEADER;
    s->pages = bytes_get(at, 8);
    s->checkpoint = bytes_get(at + 8, 8);
    s->journal_first = bytes_get(at + 16, 8);
    s->journal_chain = bytes_get(at + 24, 8);
    s->next_object_id = bytes_get(at + 32, 8);
}

uint64_t format_pack_key(const struct format_key *k)
{
    return KEY_PRESENT | (k->block & KEY_BLOCK) | (uint64_t)(k->object & 0x7f) << 40 |
           (uint64_t)k->mask << 48 | (uint64_t)k->is_zero << 56 | (uint64_t)k->is_group << 57;
}

bool format_unpack_key(uint64_t packed, struct format_key *k)
{
    *k = (struct format_key){.block = packed & KEY_BLOCK,
                             .object = packed >> 40 & 0x7f,
                             .mask = (uint8_t)(packed >> 48),
                             .is_zero = packed >> 56 & 1,
                             .is_group = packed >> 57 & 1};
    return (packed & KEY_PRESENT) && !(packed & KEY_UNUSED) && k->mask != 0 &&
           k->object < STORE_OBJECTS && (!k->is_group || (k->is_zero && k->mask == 0xff));
}

void format_put_object(uint8_t *page, uint32_t record, const struct format_object *o)
{
    uint8_t *at = page + FORMAT_HEADER + record * FORMAT_OBJECT_BYTES;
    memset(at, 0, FORMAT_OBJECT_BYTES);
    at[0] = o->number;
    at[1] = o->state;
    at[2] = o->kind;
    at[3] = o->is_damaged;
    bytes_put(at + 8, o->id, 8);
    bytes_put(at + 16, o->size_bytes, 8);
    memcpy(at + 24, o->content, STORE_CONTENT_BYTES);
    memcpy(at + 56, o->name, STORE_NAME_BYTES);
}

bool format_get_object(const uint8_t *page, uint32_t record, struct format_object *o)
{
    const uint8_t *at = page + FORMAT_HEADER + record * FORMAT_OBJECT_BYTES;
    *o = (struct format_object){.number = at[0],
                                .state = at[1],
                                .kind = at[2],
                                .is_damaged = at[3] & 1,
                                .id = bytes_get(at + 8, 8),
                                .size_bytes = bytes_get(at + 16, 8)};
    memcpy(o->content, at + 24, STORE_CONTENT_BYTES);
    memcpy(o->name, at + 56, STORE_NAME_BYTES);
    if (o->number >= STORE_OBJECTS || o->state > FORMAT_OBJECT_DYING)
        return false;
    if (o->state == FORMAT_OBJECT_FREE)
        return true;
    return o->kind >= FORMAT_IMAGE && o->kind <= FORMAT_BLOB && o->id != 0 &&
           o->name[STORE_NAME_BYTES - 1] == '\0' &&
           o->size_bytes <= (KEY_BLOCK + 1) * STORE_BLOCK_BYTES;
}

void format_put_root(uint8_t *page, uint32_t record, uint32_t crc, uint32_t flags)
{
    bytes_put(page + FORMAT_HEADER + record * 8, crc, 4);
    bytes_put(page + FORMAT_HEADER + record * 8 + 4, flags, 4);
}

void format_get_root(const uint8_t *page, uint32_t record, uint32_t *crc, uint32_t *flags)
{
    *crc = (uint32_t)bytes_get(page + FORMAT_HEADER + record * 8, 4);
    *flags = (uint32_t)bytes_get(page + FORMAT_HEADER + record * 8 + 4, 4);
}

void format_put_slot(uint8_t *page, uint32_t record, uint64_t key, uint32_t crc)
{
    bytes_put(page + FORMAT_HEADER + record * 12, key, 8);
    bytes_put(page + FORMAT_HEADER + record * 12 + 8, crc, 4);
}

void format_get_slot(const uint8_t *page, uint32_t record, uint64_t *key, uint32_t *crc)
{
    *key = bytes_get(page + FORMAT_HEADER + record * 12, 8);
    *crc = (uint32_t)bytes_get(page + FORMAT_HEADER + record * 12 + 8, 4);
}

void format_put_change(uint8_t *page, uint32_t record, uint32_t slot, uint64_t key, uint32_t crc)
{
    uint8_t *at = page + FORMAT_HEADER + record * 16;
    bytes_put(at, slot, 4);
    bytes_put(at + 4, crc, 4);
    bytes_put(at + 8, key, 8);
}

void format_get_change(const uint8_t *page, uint32_t record, uint32_t *slot, uint64_t *key,
                       uint32_t *crc)
{
    const uint8_t *at = page + FORMAT_HEADER + record * 16;
    *slot = (uint32_t)bytes_get(at, 4);
    *crc = (uint32_t)bytes_get(at + 4, 4);
    *key = bytes_get(at + 8, 8);
}

uint32_t format_block_crc(uint64_t store_id, uint64_t object_id, const struct format_key *key,
                          const uint8_t *data)
{
    uint8_t who[24];
    bytes_put(who, store_id, 8);
    bytes_put(who + 8, object_id, 8);
    bytes_put(who + 16, format_pack_key(key), 8);
    uint32_t crc = crc32c(0, who, sizeof who);
    return data ? crc32c(crc, data, STORE_BLOCK_BYTES) : crc;
}
