// SPDX-License-Identifier: BSD-2-Clause
/*
 * The journal at start: from the page that the superblock names to the first that does not continue
 * it; then what is known must make sense together.
 */
#include "vdisk/store/inside.h"

#define CHECK_SLOTS 65536u /* looked at in one step */

static void forget_slot(struct store *s, uint32_t slot)
{
    table_unmap(&s->table, slot, SLOT_LIMBO);
    table_release(&s->table, slot);
    checkpoint_mark(s, slot);
}

bool recovery_set_slot(struct store *s, uint32_t index, uint64_t packed, uint32_t crc)
{
    struct format_key key;
    if (index >= s->table.count || (packed && !format_unpack_key(packed, &key)))
        return false;
    if (slot_is_mapped(&s->table.slots[index]))
        forget_slot(s, index);
    if (packed == FORMAT_NO_KEY)
        return true;
    uint32_t old = table_find(&s->table, key.object, key.block, key.is_group);
    if (old != SLOT_NONE)
        forget_slot(s, old);
    table_map(&s->table, index, &key, crc, SLOT_LIVE);
    return true;
}

bool recovery_set_object(struct store *s, const uint8_t *page, uint32_t record)
{
    struct format_object o;
    if (!format_get_object(page, record, &o))
        return false;
    s->objects[o.number].record = s->objects[o.number].on_disk = o;
    if (o.id >= s->next_object_id)
        s->next_object_id = o.id + 1;
    return true;
}

static bool replay_page(struct store *s, const uint8_t *page, const struct format_header *h)
{
    for (uint32_t i = 0; i < h->records; i++) {
        uint32_t slot, crc;
        uint64_t key;
        if (h->kind == FORMAT_OBJECTS) {
            if (!recovery_set_object(s, page, i))
                return false;
            continue;
        }
        format_get_change(page, i, &slot, &key, &crc);
        if (!recovery_set_slot(s, slot, key, crc))
            return false;
        checkpoint_mark(s, slot);
    }
    return true;
}

static void forget_everything_cached(struct store *s)
{
    for (uint32_t i = 0; i < s->table.count; i++)
        if (slot_is_mapped(&s->table.slots[i]) &&
            object_is_image(&s->objects[s->table.slots[i].object]))
            forget_slot(s, i);
}

/* What is left must make sense together. */
static bool is_slot_good(const struct store *s, const struct slot *slot)
{
    const struct store_object *o = &s->objects[slot->object];
    uint64_t blocks = object_blocks(o);
    if (slot->is_group)
        blocks = (blocks + TABLE_GROUP_BLOCKS - 1) / TABLE_GROUP_BLOCKS;
    if (object_is_image(o) && (slot->is_zero || slot->mask != 0xff))
        return false;
    return o->record.state != FORMAT_OBJECT_FREE && slot->block < blocks;
}

static void open_objects(struct store *s)
{
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->record.state == FORMAT_OBJECT_DYING) {
            s->dying++;
            continue;
        }
        if (o->record.state != FORMAT_OBJECT_LIVE || object_is_image(o))
            continue;
        if (object_by_name(s, o->record.kind, o->record.name) != o) {
            object_kill(o); /* the older of two blobs of a name */
        } else if (s->recovery.is_lost) {
            o->record.is_damaged = o->on_disk.is_damaged = true;
            object_changed(o); /* and the checkpoint, which may come first, says so too */
        }
    }
}

static bool finish_step(struct store *s)
{
    struct recovery *r = &s->recovery;
    for (uint32_t n = 0; n < CHECK_SLOTS && r->cursor < s->table.count; n++, r->cursor++) {
        const struct slot *slot = &s->table.slots[r->cursor];
        if (!slot_is_mapped(slot))
            continue;
        if (!is_slot_good(s, slot)) {
            if (!r->is_lost) {
                store_log(s, "store: its index contradicts itself; format it anew");
                recovery_end(s, STORE_DAMAGED);
                return false;
            }
            forget_slot(s, r->cursor);
        } else if (object_is_image(&s->objects[slot->object])) {
            s->image_mapped++;
        }
    }
    if (r->cursor < s->table.count) {
        s->wants_again = true;
        return false;
    }
    open_objects(s);
    if (r->is_lost) {
        store_log(s, "store: a part of its index is damaged in both copies; differences and blobs "
                     "are marked as damaged");
        s->checkpoint.is_wanted = true;
    }
    do
        s->journal.session = s->platform->random(s->platform->ctx);
    while (s->journal.session == s->journal.chain || s->journal.session == 0);
    recovery_end(s, STORE_OK);
    return true;
}

static void to_finish(struct store *s)
{
    struct recovery *r = &s->recovery;
    struct journal *j = &s->journal;
    j->tail = r->super.journal_first;
    j->next = r->sequence;
    if (r->is_journal_lost) {
        /* Numbers that no old page has; nothing is written before the checkpoint that wants it. */
        j->next = r->super.journal_first + 4 * (uint64_t)s->layout.journal_pages;
        forget_everything_cached(s);
        s->next_object_id += 1u << 20; /* some may have been given there */
        r->is_lost = true;
    }
    r->cursor = 0;
    r->step = finish_step;
}

/* After the last page that continues the journal: is there one of a later batch, or a newer one
   than can be here? Then this is not the end, but a hole. */
static bool hole_step(struct store *s)
{
    struct recovery *r = &s->recovery;
    struct format_header h;
    for (; r->cursor < 2 * (BATCH_PAGES + 1); r->cursor++) {
        uint64_t sequence = r->sequence + r->cursor / 2;
        if (sequence - r->super.journal_first >= s->layout.journal_pages)
            break;
        const uint8_t *page =
            recovery_page(s, format_journal_page(&s->layout, r->cursor % 2, sequence), 1);
        if (!page)
            return false;
        if (!format_check(page, &h) || h.store_id != s->store_id ||
            (h.kind != FORMAT_CHANGES && h.kind != FORMAT_OBJECTS))
            continue;
        if (h.number > sequence || (h.number == sequence && h.batch > r->sequence))
            r->is_journal_lost = true;
    }
    to_finish(s);
    return true;
}

static bool continues(const struct store *s, const uint8_t *page, struct format_header *h)
{
    return format_check(page, h) && h->store_id == s->store_id &&
           (h->kind == FORMAT_CHANGES || h->kind == FORMAT_OBJECTS) &&
           h->number == s->recovery.sequence && h->previous == s->journal.chain;
}

bool replay_step(struct store *s)
{
    struct recovery *r = &s->recovery;
    struct format_header h;
    uint32_t size = s->layout.journal_pages;
    while (r->sequence - r->super.journal_first < size) {
        uint32_t to_wrap = size - (uint32_t)(r->sequence % size);
        unsigned copy = r->copy;
        const uint8_t *page = recovery_page(s, format_journal_page(&s->layout, copy, r->sequence),
                                            copy == 0 ? to_wrap : 1);
        if (!page)
            return false;
        if (!continues(s, page, &h)) {
            if (copy == 1)
                break;
            r->copy = 1;
            continue;
        }
        if (copy == 1)
            s->checkpoint.is_wanted = true; /* one copy is left: soon it is not needed */
        r->copy = 0;
        if (!replay_page(s, page, &h)) {
            store_log(s, "store: its journal contradicts itself; format it anew");
            recovery_end(s, STORE_DAMAGED);
            return false;
        }
        s->journal.chain = h.session;
        r->sequence++;
    }
    r->cursor = 0;
    r->step = hole_step;
    return true;
}
