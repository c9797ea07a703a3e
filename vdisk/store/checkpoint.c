// SPDX-License-Identifier: BSD-2-Clause
/*
 * Checkpoints: the index pages that have changed go to the generation of each that is not in use,
 * then a new root, then a new superblock, which makes all of it count at once and gives the journal
 * its room back. Commits go on meanwhile: an index page shows what is durable when it is made,
 * which is never older than where recovery begins to read the journal, and journal records say what
 * a slot is, not how it changes.
 */
#include "vdisk/store/inside.h"

#include <string.h>

void checkpoint_mark(struct store *s, uint32_t slot)
{
    bit_set(s->checkpoint.dirty, slot / FORMAT_SLOTS_PER_PAGE);
}

static uint8_t *image(struct checkpoint *c, uint32_t n)
{
    memset(c->write.pages + (uint64_t)n * FORMAT_PAGE, 0, FORMAT_PAGE);
    return c->write.pages + (uint64_t)n * FORMAT_PAGE;
}

/* Another slot has its key for good: the two must not meet in the index, which does not say which is newer. */
static bool is_replaced(const struct store *s, const struct slot *slot)
{
    struct format_key key = slot_key(slot);
    uint32_t mapped = table_find(&s->table, key.object, key.block, key.is_group);
    return mapped != SLOT_NONE && s->table.slots[mapped].state == SLOT_LIVE;
}

/* Makes the page and its root entry; false: every slot is free, there is no page. */
static bool make_index_page(struct store *s, uint32_t index, uint8_t *page)
{
    struct checkpoint *c = &s->checkpoint;
    uint32_t first = index * FORMAT_SLOTS_PER_PAGE, used = 0, n;
    uint8_t flags = c->root_flags[index] & FORMAT_ROOT_PRESENT
                        ? (c->root_flags[index] & FORMAT_ROOT_GENERATION) ^ FORMAT_ROOT_GENERATION
                        : 0;
    for (n = 0; n < FORMAT_SLOTS_PER_PAGE && first + n < s->table.count; n++) {
        const struct slot *slot = &s->table.slots[first + n];
        if (!slot_is_on_disk(slot))
            continue;
        if (slot->state != SLOT_LIVE) {
            checkpoint_mark(s, first + n); /* for the next one: it may be replaced then */
            if (is_replaced(s, slot))
                continue;
        }
        struct format_key key = slot_key(slot);
        format_put_slot(page, n, format_pack_key(&key), slot->crc);
        if (!object_is_image(&s->objects[slot->object]))
            flags |= FORMAT_ROOT_OWNS;
        used++;
    }
    c->root_flags[index] = used ? flags | FORMAT_ROOT_PRESENT : 0;
    if (used == 0)
        return false;
    struct format_header h = {.kind = FORMAT_INDEX,
                              .store_id = s->store_id,
                              .number = c->number + 1,
                              .index = index,
                              .records = n};
    format_seal(page, &h);
    c->root_crc[index] = format_page_crc(page);
    return true;
}

static void write_index(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    uint32_t n = 0;
    for (; c->cursor < s->layout.index_pages && n < CHECKPOINT_PAGES; c->cursor++) {
        uint32_t i = c->cursor;
        if (!bit_get(c->dirty, i))
            continue;
        bit_clear(c->dirty, i);
        if (!make_index_page(s, i, image(c, n)))
            continue;
        unsigned generation = c->root_flags[i] & FORMAT_ROOT_GENERATION ? 1 : 0;
        meta_write_page(&c->write, n, format_index_page(&s->layout, 0, generation, i),
                        format_index_page(&s->layout, 1, generation, i));
        n++;
    }
    if (n == 0) {
        c->phase = CHECKPOINT_ROOT;
        c->cursor = 0;
    }
}

static void make_root_page(struct store *s, uint32_t index, uint8_t *page)
{
    struct checkpoint *c = &s->checkpoint;
    struct format_header h = {
        .kind = FORMAT_OBJECTS, .store_id = s->store_id, .number = c->number + 1, .index = index};
    if (index < FORMAT_OBJECT_PAGES) {
        uint32_t first = index * FORMAT_OBJECTS_PER_PAGE;
        for (; h.records < FORMAT_OBJECTS_PER_PAGE && first + h.records < STORE_OBJECTS;
             h.records++)
            format_put_object(page, h.records, &s->objects[first + h.records].on_disk);
    } else {
        uint32_t first = (index - FORMAT_OBJECT_PAGES) * FORMAT_ROOTS_PER_PAGE;
        h.kind = FORMAT_ROOT;
        for (; h.records < FORMAT_ROOTS_PER_PAGE && first + h.records < s->layout.index_pages;
             h.records++)
            format_put_root(page, h.records, c->root_crc[first + h.records],
                            c->root_flags[first + h.records]);
    }
    format_seal(page, &h);
}

static void write_root(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    unsigned generation = (c->number + 1) & 1;
    uint32_t n = 0;
    for (; c->cursor < s->layout.root_pages && n < CHECKPOINT_PAGES; c->cursor++, n++) {
        make_root_page(s, c->cursor, image(c, n));
        meta_write_page(&c->write, n, format_root_page(&s->layout, 0, generation, c->cursor),
                        format_root_page(&s->layout, 1, generation, c->cursor));
    }
    if (n == 0) {
        c->phase = CHECKPOINT_FLUSH;
        meta_flush(&c->write);
    }
}

static void write_super(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    uint8_t *page = image(c, 0);
    struct format_super super = {.pages = s->layout.pages,
                                 .checkpoint = c->number + 1,
                                 .journal_first = c->journal_first,
                                 .journal_chain = c->journal_chain,
                                 .next_object_id = s->next_object_id};
    struct format_header h = {
        .kind = FORMAT_SUPER, .store_id = s->store_id, .number = c->number + 1, .records = 1};
    format_put_super(page, &super);
    format_seal(page, &h);
    unsigned which = (c->number + 1) & 1;
    meta_write_page(&c->write, 0, format_super_page(&s->layout, which),
                    format_super_page(&s->layout, 2 + which));
}

static void begin(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    const struct journal *j = &s->journal;
    bool in_batch = j->phase != JOURNAL_IDLE && j->phase != JOURNAL_RELEASE;
    c->journal_first = in_batch ? j->batch_first : j->next;
    c->journal_chain = in_batch ? j->batch_chain : j->chain;
    c->is_wanted = false;
    c->phase = CHECKPOINT_INDEX;
    c->cursor = 0;
}

static void end(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    c->number++;
    s->journal.tail = c->journal_first;
    c->phase = CHECKPOINT_IDLE;
    s->info.checkpoints++;
    s->wants_again = true;
}

void checkpoint_run(struct store *s)
{
    struct checkpoint *c = &s->checkpoint;
    if (c->write.has_failed)
        store_fail(s, "the disk failed to write or flush the index");
    if (s->info.failure)
        return;
    if (c->phase == CHECKPOINT_IDLE && c->is_wanted)
        begin(s);
    while (c->phase != CHECKPOINT_IDLE && c->write.ios_left == 0) {
        switch (c->phase) {
        case CHECKPOINT_INDEX:
            write_index(s);
            break;
        case CHECKPOINT_ROOT:
            write_root(s);
            break;
        case CHECKPOINT_FLUSH:
            c->phase = CHECKPOINT_SUPER;
            write_super(s);
            break;
        case CHECKPOINT_SUPER:
            c->phase = CHECKPOINT_END;
            meta_flush(&c->write);
            break;
        default:
            end(s);
        }
    }
}
