// SPDX-License-Identifier: BSD-2-Clause
/*
 * How slots come into the lookups and out of them, and where free ones come from: discard, zeroes,
 * eviction, deletion.
 */
#include "vdisk/store/inside.h"

#define STEP_BLOCKS 4096u /* looked at in one run, so that nobody else waits long */

static bool is_image_slot(const struct store *s, uint32_t slot)
{
    return object_is_image(&s->objects[s->table.slots[slot].object]);
}

void slot_unmap(struct store *s, uint32_t slot)
{
    if (is_image_slot(s, slot))
        s->image_mapped--;
    switch (s->table.slots[slot].state) {
    case SLOT_NEW: /* is in the journal's list already */
        table_unmap(&s->table, slot, SLOT_STILLBORN);
        break;
    case SLOT_SENT:
        table_unmap(&s->table, slot, SLOT_DEAD_EARLY);
        journal_append(s, slot);
        break;
    default:
        table_unmap(&s->table, slot, SLOT_DEAD);
        journal_append(s, slot);
    }
}

void slot_map(struct store *s, uint32_t slot, const struct format_key *key, uint32_t crc)
{
    uint32_t old = table_find(&s->table, key->object, key->block, key->is_group);
    if (old == SLOT_NONE) {
        table_map(&s->table, slot, key, crc, SLOT_NEW);
        journal_append(s, slot);
    } else {
        /* The new mapping stands in the journal before the end of the old one: whatever part of
           them survives a power cut, the block is there. */
        bool was_image = is_image_slot(s, old);
        enum slot_state state = s->table.slots[old].state;
        table_unmap(&s->table, old,
                    state == SLOT_NEW    ? SLOT_STILLBORN
                    : state == SLOT_SENT ? SLOT_DEAD_EARLY
                                         : SLOT_DEAD);
        s->image_mapped -= was_image;
        table_map(&s->table, slot, key, crc, SLOT_NEW);
        journal_append(s, slot);
        if (state != SLOT_NEW)
            journal_append(s, old);
    }
    s->image_mapped += is_image_slot(s, slot);
}

/* Slots that will be free when I/O and commits under way, or still to come, have ended. */
static uint64_t returning(const struct store *s)
{
    const uint32_t *n = s->table.in_state;
    return (uint64_t)n[SLOT_WRITING] + n[SLOT_STILLBORN] + n[SLOT_DEAD_EARLY] + n[SLOT_DEAD] +
           n[SLOT_DEAD_SENT] + n[SLOT_LIMBO];
}

enum store_status slot_room(struct store *s, uint32_t count, uint32_t grows, bool *is_now)
{
    uint32_t need = count + (grows ? s->reserve : 0);
    *is_now = s->table.in_state[SLOT_FREE] >= need;
    if (*is_now)
        return STORE_OK;
    s->wants_room = true;
    return returning(s) || s->image_mapped || s->dying ? STORE_OK : STORE_FULL;
}

/* CLOCK over the slots, so that neighbours become free together. */
void evict_run(struct store *s)
{
    struct table *t = &s->table;
    uint64_t have = t->in_state[SLOT_FREE] + returning(s);
    uint64_t want = s->free_target > have ? s->free_target - have : 0;
    for (uint32_t n = 0; n < STEP_BLOCKS && want && s->image_mapped && journal_room(s, 1); n++) {
        struct slot *slot = &t->slots[t->hand];
        if (slot_is_mapped(slot) && is_image_slot(s, t->hand)) {
            if (slot->uses == 0) {
                slot_unmap(s, t->hand);
                s->info.evicted_blocks++;
                want--;
            } else {
                slot->uses--;
            }
        }
        t->hand = t->hand + 1 == t->count ? 0 : t->hand + 1;
    }
    if (want && s->image_mapped && journal_room(s, 1))
        s->wants_again = true;
}

static void sweep_object(struct store *s, struct store_object *o)
{
    for (uint32_t n = 0; n < STEP_BLOCKS && o->sweep < s->table.count; n++, o->sweep++) {
        const struct slot *slot = &s->table.slots[o->sweep];
        if (!slot_is_mapped(slot) || slot->object != o->record.number)
            continue;
        if (!journal_room(s, 1))
            return;
        slot_unmap(s, o->sweep);
    }
    if (s->table.mapped[o->record.number] != 0) {
        o->sweep = o->sweep == s->table.count ? 0 : o->sweep;
        s->wants_again = true;
    } else if (s->table.held[o->record.number] == 0) {
        o->record.state = FORMAT_OBJECT_FREE;
        s->dying--;
        object_changed(o);
    }
}

void sweep_run(struct store *s)
{
    if (s->dying == 0)
        return;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->record.state == FORMAT_OBJECT_DYING && !o->is_building && o->refs == 0)
            sweep_object(s, o);
    }
}

/* The block where the group of op->next ends, if the op holds all of the group; else op->next. */
static uint64_t group_end(const struct store_op *op)
{
    uint64_t end = op->next + TABLE_GROUP_BLOCKS, size = object_blocks(op->object);
    if (op->next % TABLE_GROUP_BLOCKS)
        return op->next;
    if (end > size)
        end = size;
    bool is_whole = op->offset + op->length >= end * STORE_BLOCK_BYTES ||
                    op->offset + op->length == op->object->record.size_bytes;
    return is_whole && op->offset <= op->next * STORE_BLOCK_BYTES ? end : op->next;
}

static void unmap_if_there(struct store *s, unsigned object, uint64_t block, bool is_group)
{
    uint32_t slot = table_find(&s->table, object, block, is_group);
    if (slot != SLOT_NONE)
        slot_unmap(s, slot);
}

static bool covers_block(const struct store_op *op, uint64_t block)
{
    uint8_t whole = 0xff;
    uint64_t size = op->object->record.size_bytes, start = block * STORE_BLOCK_BYTES;
    if (size - start < STORE_BLOCK_BYTES) /* the disk ends in the block */
        whole = (uint8_t)((1u << (size - start) / STORE_SECTOR_BYTES) - 1);
    return (op_mask(op, block) & whole) == whole;
}

bool discard_step(struct store *s, struct store_op *op)
{
    unsigned object = op->object->record.number;
    for (uint32_t n = 0; n < STEP_BLOCKS && op->next < op->end; n++) {
        if (s->table.mapped[object] == 0) {
            op->next = op->end;
            break;
        }
        if (!journal_room(s, 2))
            return false;
        /* First the blocks of a group, then the group: else old zeros could not be told from it. */
        if (covers_block(op, op->next))
            unmap_if_there(s, object, op->next, false);
        op->next++;
        bool is_group_done = op->next % TABLE_GROUP_BLOCKS == 0 || op->next == op->end;
        uint64_t start = (op->next - 1) / TABLE_GROUP_BLOCKS * TABLE_GROUP_BLOCKS;
        struct store_op from = *op;
        from.next = start;
        if (is_group_done && group_end(&from) == op->next)
            unmap_if_there(s, object, start / TABLE_GROUP_BLOCKS, true);
    }
    if (op->next < op->end)
        s->wants_again = true;
    return op->next == op->end;
}

static bool zero_group(struct store *s, struct store_op *op, uint64_t end)
{
    unsigned object = op->object->record.number;
    struct format_key key = {.block = op->next / TABLE_GROUP_BLOCKS,
                             .object = (uint8_t)object,
                             .mask = 0xff,
                             .is_zero = true,
                             .is_group = true};
    bool is_now = true, is_there = table_find(&s->table, object, key.block, true) != SLOT_NONE;
    if (!journal_room(s, TABLE_GROUP_BLOCKS + 2))
        return false;
    if (!is_there) {
        op->status = slot_room(s, 1, 1, &is_now);
        if (!is_now)
            return false;
        uint32_t slot = table_take(&s->table, object, SLOT_NONE);
        slot_map(s, slot, &key, format_block_crc(s->store_id, op->object->record.id, &key, NULL));
    }
    for (; op->next < end; op->next++)
        unmap_if_there(s, object, op->next, false);
    return true;
}

static bool zero_block(struct store *s, struct store_op *op)
{
    unsigned object = op->object->record.number;
    struct format_key key = {
        .block = op->next, .object = (uint8_t)object, .mask = 0xff, .is_zero = true};
    uint32_t old = table_find(&s->table, object, op->next, false);
    bool is_now,
        has_group = table_find(&s->table, object, op->next / TABLE_GROUP_BLOCKS, true) != SLOT_NONE;
    if (!journal_room(s, 2))
        return false;
    if (has_group) {
        if (old != SLOT_NONE)
            slot_unmap(s, old);
    } else {
        op->status = slot_room(s, 1, old == SLOT_NONE, &is_now);
        if (!is_now)
            return false;
        uint32_t slot = table_take(&s->table, object, SLOT_NONE);
        slot_map(s, slot, &key, format_block_crc(s->store_id, op->object->record.id, &key, NULL));
    }
    op->next++;
    return true;
}

bool zero_step(struct store *s, struct store_op *op)
{
    for (uint32_t n = 0; n < STEP_BLOCKS && op->next < op->end && op->status == STORE_OK; n++) {
        uint64_t end = group_end(op);
        bool has_moved = end != op->next                 ? zero_group(s, op, end)
                         : op_mask(op, op->next) != 0xff ? write_step(s, op)
                                                         : zero_block(s, op);
        if (!has_moved)
            return op->status != STORE_OK;
    }
    if (op->next < op->end && op->status == STORE_OK)
        s->wants_again = true;
    return op->next == op->end || op->status != STORE_OK;
}
