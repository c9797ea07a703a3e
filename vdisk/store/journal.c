// SPDX-License-Identifier: BSD-2-Clause
/*
 * Commits. What has changed waits in memory and is made durable batch by batch:
 *
 *   1. flush the device: the data that the batch refers to are there
 *   2. write the batch's pages, each twice
 *   3. flush again: now the batch is durable, and who waits for it is told
 *   4. when the reads that began before the batch have ended, its dead slots are free
 *
 * So metadata never refer to data that may not be there, and a slot gets other data only when
 * nothing on the disk and nobody in memory refers to the old ones.
 *
 * A page is followed by the one whose number is one more and whose `previous` is its `session`. A
 * session is a random number for each start: pages that an earlier start wrote beyond its last
 * whole batch never continue what a later one has written.
 */
#include "vdisk/store/inside.h"

#include <string.h>

bool journal_room(const struct store *s, uint32_t count)
{
    return s->journal.count + s->journal.reserved + count <= PENDING_ROOM - PENDING_SLACK;
}

void journal_append(struct store *s, uint32_t slot)
{
    struct journal *j = &s->journal;
    if (j->count == j->batch_slots)
        j->oldest_ns = s->now_ns;
    j->pending[(j->first + j->count) % PENDING_ROOM] = slot;
    j->count++;
    j->slots_appended++;
}

static bool is_durable(const struct journal *j, const struct store_op *op)
{
    return op->slots_target <= j->slots_durable && op->objects_target <= j->objects_durable;
}

static void tell(struct store *s, struct store_op *op)
{
    list_remove(&op->node);
    if (op->type == STORE_PUT_BLOB)
        blob_flushed(s, op);
    else
        store_finish(s, op, STORE_OK);
}

void journal_wait(struct store *s, struct store_op *op)
{
    op->slots_target = s->journal.slots_appended;
    op->objects_target = s->journal.objects_changed;
    if (is_durable(&s->journal, op) && !s->info.failure)
        tell(s, op);
    else
        list_push_back(&s->flushes, &op->node);
}

/* -- making a batch -- */

static uint8_t *batch_page(struct journal *j)
{
    return j->write.pages + (uint64_t)j->batch_pages * FORMAT_PAGE;
}

static void seal_page(struct store *s, enum format_kind kind, uint32_t records)
{
    struct journal *j = &s->journal;
    struct format_header h = {.kind = kind,
                              .store_id = s->store_id,
                              .number = j->batch_first + j->batch_pages,
                              .records = records,
                              .session = j->session,
                              .previous = j->chain,
                              .batch = j->batch_first};
    format_seal(batch_page(j), &h);
    j->chain = j->session;
    j->batch_pages++;
}

static void add_objects(struct store *s)
{
    struct journal *j = &s->journal;
    uint32_t records = 0;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (!o->is_dirty)
            continue;
        o->sent = o->record;
        if (o->is_building)
            o->sent.state = FORMAT_OBJECT_DYING;
        o->is_dirty = false;
        o->is_sent = true;
        if (records == 0)
            memset(batch_page(j), 0, FORMAT_PAGE);
        format_put_object(batch_page(j), records++, &o->sent);
        if (records == FORMAT_OBJECTS_PER_PAGE) {
            seal_page(s, FORMAT_OBJECTS, records);
            records = 0;
        }
    }
    if (records)
        seal_page(s, FORMAT_OBJECTS, records);
    j->batch_objects = j->objects_changed;
}

static uint32_t *pending_at(struct journal *j, uint32_t n)
{
    return &j->pending[(j->first + n) % PENDING_ROOM];
}

/* The slot that stands at place n of what is pending. If it is not mapped any more and its key's new mapping stands behind it,
   they change places: wherever the journal ends, the end of a mapping does not stand there without the new one, nor is a block
   missing of which an older state was waited for. */
static uint32_t slot_at(struct store *s, uint32_t n)
{
    struct journal *j = &s->journal;
    uint32_t *place = pending_at(j, n), index = *place;
    const struct slot *slot = &s->table.slots[index];
    if (slot->state == SLOT_NEW)
        return index;
    struct format_key key = slot_key(slot);
    uint32_t mapped = table_find(&s->table, key.object, key.block, key.is_group);
    if (mapped == SLOT_NONE || s->table.slots[mapped].state != SLOT_NEW)
        return index;
    while (*pending_at(j, n) != mapped)
        n++;
    *pending_at(j, n) = index;
    return *place = mapped;
}

/* Slots in the order of their changes, to the end or until the pages are full. Returns whether the
   batch refers to data. */
static bool add_slots(struct store *s, uint32_t most_pages)
{
    struct journal *j = &s->journal;
    uint32_t records = 0;
    bool has_data = false;
    for (; j->batch_slots < j->count && j->batch_pages < most_pages; j->batch_slots++) {
        uint32_t index = slot_at(s, j->batch_slots);
        const struct slot *slot = &s->table.slots[index];
        if (slot->state == SLOT_STILLBORN)
            continue;
        bool is_new = slot->state == SLOT_NEW;
        struct format_key key = slot_key(slot);
        if (records == 0)
            memset(batch_page(j), 0, FORMAT_PAGE);
        format_put_change(batch_page(j), records++, index,
                          is_new ? format_pack_key(&key) : FORMAT_NO_KEY, is_new ? slot->crc : 0);
        has_data |= is_new && !slot->is_zero;
        table_set_state(&s->table, index, is_new ? SLOT_SENT : SLOT_DEAD_SENT);
        if (records == FORMAT_CHANGES_PER_PAGE) {
            seal_page(s, FORMAT_CHANGES, records);
            records = 0;
        }
    }
    if (records)
        seal_page(s, FORMAT_CHANGES, records);
    return has_data;
}

static bool has_dirty_object(const struct store *s)
{
    return s->journal.objects_changed != s->journal.batch_objects;
}

static bool is_due(const struct store *s)
{
    const struct journal *j = &s->journal;
    if (j->count == 0 && !has_dirty_object(s))
        return false;
    return !list_is_empty(&s->flushes) || s->wants_room ||
           j->count + j->reserved > (PENDING_ROOM - PENDING_SLACK) / 2 ||
           s->now_ns - j->oldest_ns >= s->options.commit_ns;
}

/* Pages that the next batch may have; 0: a checkpoint must make room first. */
static uint32_t pages_now(struct store *s)
{
    const struct journal *j = &s->journal;
    uint64_t used = j->next - j->tail, size = s->layout.journal_pages;
    uint64_t most = size / 4 < BATCH_PAGES ? size / 4 : BATCH_PAGES;
    if (used * 2 >= size)
        s->checkpoint.is_wanted = true;
    if (used + FORMAT_OBJECT_PAGES + 1 > size)
        return 0;
    return (uint32_t)(most < size - used ? most : size - used);
}

static void start_pages(struct store *s)
{
    struct journal *j = &s->journal;
    j->phase = JOURNAL_PAGES;
    for (uint32_t i = 0; i < j->batch_pages; i++)
        meta_write_page(&j->write, i, format_journal_page(&s->layout, 0, j->batch_first + i),
                        format_journal_page(&s->layout, 1, j->batch_first + i));
}

static void start(struct store *s)
{
    struct journal *j = &s->journal;
    uint32_t most = pages_now(s);
    if (most == 0)
        return;
    j->batch_first = j->next;
    j->batch_chain = j->chain;
    j->batch_pages = j->batch_slots = 0;
    add_objects(s);
    bool has_data = add_slots(s, most);
    j->batch_serial = ++s->serial;
    j->next += j->batch_pages;
    s->info.commits++;
    if (has_data) {
        j->phase = JOURNAL_DATA;
        meta_flush(&j->write);
    } else {
        start_pages(s);
        s->wants_again = j->batch_pages == 0; /* no I/O will wake it */
    }
}

/* -- ending it -- */

static uint32_t batch_slot(const struct journal *j, uint32_t n)
{
    return j->pending[(j->first + n) % PENDING_ROOM];
}

static void note_durable(struct store *s)
{
    struct journal *j = &s->journal;
    for (uint32_t n = 0; n < j->batch_slots; n++) {
        uint32_t index = batch_slot(j, n);
        switch (s->table.slots[index].state) {
        case SLOT_SENT:
            table_set_state(&s->table, index, SLOT_LIVE);
            break;
        case SLOT_DEAD_EARLY:
            table_set_state(&s->table, index, SLOT_DEAD);
            break;
        case SLOT_DEAD_SENT:
            table_set_state(&s->table, index, SLOT_LIMBO);
            break;
        default: /* STILLBORN: the disk does not know it */
            continue;
        }
        checkpoint_mark(s, index);
    }
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->is_sent)
            o->on_disk = o->sent;
        o->is_sent = false;
    }
    j->slots_durable += j->batch_slots;
    j->objects_durable = j->batch_objects;
}

static void tell_waiters(struct store *s)
{
    struct list *next;
    for (struct list *node = s->flushes.next; node != &s->flushes; node = next) {
        struct store_op *op = LIST_ENTRY(node, struct store_op, node);
        next = node->next;
        if (is_durable(&s->journal, op))
            tell(s, op);
    }
}

static bool is_read_before_batch(const struct store *s)
{
    if (list_is_empty(&s->reading))
        return false;
    return LIST_ENTRY(s->reading.next, struct piece, reading)->serial < s->journal.batch_serial;
}

static void release(struct store *s)
{
    struct journal *j = &s->journal;
    for (uint32_t n = 0; n < j->batch_slots; n++) {
        uint32_t index = batch_slot(j, n);
        unsigned state = s->table.slots[index].state;
        if (state == SLOT_LIMBO || state == SLOT_STILLBORN)
            table_release(&s->table, index);
    }
    j->first = (j->first + j->batch_slots) % PENDING_ROOM;
    j->count -= j->batch_slots;
    j->batch_slots = 0;
    j->oldest_ns = s->now_ns;
    j->phase = JOURNAL_IDLE;
    s->wants_again = true;
}

static void fail_waiters(struct store *s)
{
    struct list *node;
    while ((node = list_pop(&s->flushes))) {
        struct store_op *op = LIST_ENTRY(node, struct store_op, node);
        op->status = STORE_FAILED;
        if (op->type == STORE_PUT_BLOB)
            blob_abandon(op);
        store_finish(s, op, STORE_FAILED);
    }
}

void journal_run(struct store *s)
{
    struct journal *j = &s->journal;
    if (j->write.has_failed)
        store_fail(s, "the disk failed to write or flush the journal");
    if (s->info.failure) {
        fail_waiters(s);
        return;
    }
    if (j->phase == JOURNAL_IDLE && is_due(s))
        start(s);
    if (j->phase == JOURNAL_IDLE || j->write.ios_left)
        return;
    switch (j->phase) {
    case JOURNAL_DATA:
        start_pages(s);
        break;
    case JOURNAL_PAGES:
        j->phase = JOURNAL_FLUSH;
        meta_flush(&j->write);
        break;
    case JOURNAL_FLUSH:
        j->phase = JOURNAL_RELEASE;
        note_durable(s);
        tell_waiters(s);
        s->wants_again = true;
        break;
    default:
        if (!is_read_before_batch(s))
            release(s);
    }
}

uint64_t journal_deadline(const struct store *s)
{
    const struct journal *j = &s->journal;
    bool has_work = j->count > 0 || has_dirty_object(s);
    if (j->phase != JOURNAL_IDLE || !has_work || s->info.failure || is_due(s))
        return NEVER; /* when it is due and not started, a checkpoint's I/O will wake it */
    return j->oldest_ns + s->options.commit_ns;
}
