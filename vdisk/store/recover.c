// SPDX-License-Identifier: BSD-2-Clause
/*
 * Opening: superblock, root, index, journal. Nothing of the data is read. Each page of metadata is
 * read once, in runs; its second copy only if the first is damaged.
 *
 * If both copies of something are damaged, cached blocks of it are forgotten, and every difference
 * and blob is marked DAMAGED, for their content is not known to be whole.
 */
#include "vdisk/store/inside.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TRIES 3u /* of reading a page */

void recovery_end(struct store *s, enum store_status result)
{
    struct recovery *r = &s->recovery;
    r->step = NULL;
    r->result = result;
    s->is_open = result == STORE_OK;
    s->info.open_read_bytes = s->info.device_read_bytes;
    r->opened(r->owner, result);
}

static void read_ended(struct store_io *io, bool is_ok)
{
    struct store *s = io->owner;
    s->is_reading = false;
    s->info.device_answers++;
    s->is_read_ok = is_ok;
}

static void start_read(struct store *s, uint64_t page, uint32_t count)
{
    struct recovery *r = &s->recovery;
    r->window_page = page;
    r->window_count = count;
    s->is_reading = true;
    memset(s->scratch, 0, (size_t)count * FORMAT_PAGE);
    s->read_io = (struct store_io){.done = read_ended, .owner = s};
    store_io_start(s, &s->read_io, STORE_IO_READ, page, count, s->scratch);
}

const uint8_t *recovery_page(struct store *s, uint64_t page, uint32_t ahead)
{
    struct recovery *r = &s->recovery;
    bool is_inside = page >= r->window_page && page - r->window_page < r->window_count;
    if (is_inside && s->is_read_ok) {
        r->tries = 0;
        return s->scratch + (page - r->window_page) * FORMAT_PAGE;
    }
    if (is_inside && r->window_count == 1 && ++r->tries == MAX_TRIES) {
        r->tries = 0;
        r->has_io_error = true;
        memset(s->scratch, 0, FORMAT_PAGE);
        s->is_read_ok = true;
        return s->scratch;
    }
    start_read(s, page, is_inside ? 1 : ahead < CHECKPOINT_PAGES ? ahead : CHECKPOINT_PAGES);
    return NULL;
}

/* -- index -- */

static bool is_index_page(const struct store *s, const uint8_t *page, uint32_t index)
{
    struct format_header h;
    uint64_t first = (uint64_t)index * FORMAT_SLOTS_PER_PAGE;
    return format_check(page, &h) && h.kind == FORMAT_INDEX && h.store_id == s->store_id &&
           h.index == index && format_page_crc(page) == s->checkpoint.root_crc[index] &&
           first + h.records <= s->table.count;
}

static bool load_index_page(struct store *s, const uint8_t *page, uint32_t index)
{
    struct format_header h;
    format_check(page, &h);
    for (uint32_t i = 0; i < h.records; i++) {
        uint64_t key;
        uint32_t crc;
        format_get_slot(page, i, &key, &crc);
        if (key && !recovery_set_slot(s, index * FORMAT_SLOTS_PER_PAGE + i, key, crc))
            return false;
    }
    return true;
}

/* Pages of the same generation from this one on: they are read together. */
static uint32_t index_run(const struct store *s, uint32_t index)
{
    const uint8_t *flags = s->checkpoint.root_flags;
    uint32_t n = 1;
    while (n < CHECKPOINT_PAGES && index + n < s->layout.index_pages &&
           (flags[index + n] & FORMAT_ROOT_PRESENT) &&
           !((flags[index + n] ^ flags[index]) & FORMAT_ROOT_GENERATION))
        n++;
    return n;
}

static bool index_step(struct store *s)
{
    struct recovery *r = &s->recovery;
    while (r->cursor < s->layout.index_pages) {
        uint8_t flags = s->checkpoint.root_flags[r->cursor];
        unsigned copy = r->copy;
        if (flags & FORMAT_ROOT_PRESENT) {
            unsigned generation = flags & FORMAT_ROOT_GENERATION ? 1 : 0;
            const uint8_t *page =
                recovery_page(s, format_index_page(&s->layout, copy, generation, r->cursor),
                              copy == 0 ? index_run(s, r->cursor) : 1);
            if (!page)
                return false;
            if (!is_index_page(s, page, r->cursor)) {
                r->copy = copy + 1;
                bit_set(s->checkpoint.dirty, r->cursor); /* there will be two copies again */
                s->checkpoint.is_wanted = true;
                if (copy == 0)
                    continue;
                r->is_lost |= (flags & FORMAT_ROOT_OWNS) != 0;
            } else if (!load_index_page(s, page, r->cursor)) {
                recovery_end(s, STORE_DAMAGED);
                return false;
            }
        }
        r->copy = 0;
        r->cursor++;
    }
    r->sequence = r->super.journal_first;
    s->journal.chain = r->super.journal_chain;
    r->step = replay_step;
    return true;
}

/* -- root -- */

static bool is_root_page(const struct store *s, const uint8_t *page, uint32_t index)
{
    struct format_header h;
    if (!format_check(page, &h) || h.store_id != s->store_id || h.index != index ||
        h.number != s->recovery.super.checkpoint)
        return false;
    if (index < FORMAT_OBJECT_PAGES)
        return h.kind == FORMAT_OBJECTS;
    uint32_t first = (index - FORMAT_OBJECT_PAGES) * FORMAT_ROOTS_PER_PAGE;
    return h.kind == FORMAT_ROOT && first + h.records <= s->layout.index_pages;
}

static bool load_root_page(struct store *s, const uint8_t *page, uint32_t index)
{
    struct format_header h;
    format_check(page, &h);
    for (uint32_t i = 0; i < h.records; i++) {
        if (index < FORMAT_OBJECT_PAGES) {
            if (!recovery_set_object(s, page, i))
                return false;
            continue;
        }
        uint32_t at = (index - FORMAT_OBJECT_PAGES) * FORMAT_ROOTS_PER_PAGE + i, flags;
        format_get_root(page, i, &s->checkpoint.root_crc[at], &flags);
        s->checkpoint.root_flags[at] = flags & 7;
    }
    return true;
}

static bool root_step(struct store *s)
{
    struct recovery *r = &s->recovery;
    while (r->cursor < s->layout.root_pages) {
        unsigned copy = r->copy;
        const uint8_t *page =
            recovery_page(s, format_root_page(&s->layout, copy, r->super.checkpoint & 1, r->cursor),
                          copy == 0 ? s->layout.root_pages - r->cursor : 1);
        if (!page)
            return false;
        if (!is_root_page(s, page, r->cursor)) {
            r->copy = copy + 1;
            s->checkpoint.is_wanted = true;
            if (copy == 0)
                continue;
            store_log(s, "store: its root is damaged in both copies; format it anew");
            recovery_end(s, r->has_io_error ? STORE_FAILED : STORE_DAMAGED);
            return false;
        }
        if (!load_root_page(s, page, r->cursor)) {
            recovery_end(s, STORE_DAMAGED);
            return false;
        }
        r->copy = 0;
        r->cursor++;
    }
    r->cursor = 0;
    r->step = index_step;
    return true;
}

/* -- superblock -- */

bool index_memory(struct store *s)
{
    index_memory_free(s);
    uint32_t pages = s->layout.index_pages;
    s->checkpoint.dirty = calloc(pages / 64 + 1, sizeof s->checkpoint.dirty[0]);
    s->checkpoint.root_crc = calloc(pages, sizeof s->checkpoint.root_crc[0]);
    s->checkpoint.root_flags = calloc(pages, 1);
    return table_init(&s->table, s->layout.slots, s->platform->random(s->platform->ctx)) &&
           s->checkpoint.dirty && s->checkpoint.root_crc && s->checkpoint.root_flags;
}

void index_memory_free(struct store *s)
{
    table_free(&s->table);
    free(s->checkpoint.dirty);
    free(s->checkpoint.root_crc);
    free(s->checkpoint.root_flags);
    s->checkpoint.dirty = NULL;
    s->checkpoint.root_crc = NULL;
    s->checkpoint.root_flags = NULL;
}

static uint32_t clamp(uint32_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : value;
}

static bool use_super(struct store *s)
{
    struct recovery *r = &s->recovery;
    if (!r->has_super) {
        recovery_end(s, r->has_io_error        ? STORE_FAILED
                        : r->was_other_version ? STORE_FOREIGN
                                               : STORE_BLANK);
        return false;
    }
    if (!index_memory(s)) {
        recovery_end(s, STORE_NO_MEMORY);
        return false;
    }
    s->checkpoint.number = r->super.checkpoint;
    s->next_object_id = r->super.next_object_id;
    s->reserve = clamp(s->layout.slots / 64, PIECE_BLOCKS, 1024);
    s->free_target = s->reserve + clamp(s->layout.slots / 32, 2 * PIECE_BLOCKS, 4096);
    r->cursor = r->copy = 0;
    r->step = root_step;
    return true;
}

uint64_t store_range_pages(const struct store *s)
{
    uint64_t end = s->options.range_offset + s->options.range_bytes;
    return end > s->base ? (end - s->base) / FORMAT_PAGE : 0;
}

static void look_at_super(struct store *s, const uint8_t *page)
{
    struct recovery *r = &s->recovery;
    struct format_header h;
    struct format_super super;
    struct format_layout layout;
    if (!format_check(page, &h) || h.kind != FORMAT_SUPER) {
        r->was_other_version |= memcmp(page, "LEATSTOR", 8) == 0 && page[12] != FORMAT_VERSION;
        return;
    }
    format_get_super(page, &super);
    if (super.pages > store_range_pages(s) || !format_layout(super.pages, &layout) ||
        h.number != super.checkpoint || super.journal_first == 0) {
        r->was_other_version = true;
        return;
    }
    if (r->has_super && (h.store_id != s->store_id || super.checkpoint < r->super.checkpoint))
        return;
    r->has_super = true;
    r->super = super;
    s->layout = layout;
    s->store_id = h.store_id;
}

/* The two superblocks at the front, then those at the end: the end of the store if the front says
   where it is, else of the range. */
static bool super_step(struct store *s)
{
    struct recovery *r = &s->recovery;
    for (; r->cursor < FORMAT_SUPER_PAGES; r->cursor++) {
        struct format_layout l = s->layout;
        if (!r->has_super)
            l.pages = store_range_pages(s);
        if (l.pages < FORMAT_MIN_PAGES)
            break;
        const uint8_t *page = recovery_page(s, format_super_page(&l, r->cursor), 1);
        if (!page)
            return false;
        look_at_super(s, page);
    }
    return use_super(s);
}

void store_open(struct store *s, store_opened_fn *opened, void *owner)
{
    s->recovery = (struct recovery){.opened = opened, .owner = owner, .step = super_step};
    s->wants_again = true;
}

void recovery_run(struct store *s)
{
    while (s->recovery.step && !s->is_reading && s->checkpoint.write.ios_left == 0)
        if (!s->recovery.step(s))
            break;
}
