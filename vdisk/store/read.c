// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reads: into a buffer of the store's own, where nobody can change the data between the check and
 * the copy. A slot that is being read is not given to anybody else until the read has ended
 * (journal.c waits for store->reading), so what is checked is what was looked up.
 */
#include "vdisk/store/inside.h"

#include <string.h>

#define STEP_BLOCKS 1024u

uint8_t op_mask(const struct store_op *op, uint64_t block)
{
    uint64_t start = block * STORE_BLOCK_BYTES, end = start + STORE_BLOCK_BYTES;
    uint64_t from = op->offset > start ? op->offset : start;
    uint64_t to = op->offset + op->length < end ? op->offset + op->length : end;
    if (from >= to)
        return 0;
    unsigned first = (unsigned)((from - start) / STORE_SECTOR_BYTES);
    unsigned last = (unsigned)((to - start + STORE_SECTOR_BYTES - 1) / STORE_SECTOR_BYTES);
    return (uint8_t)((1u << last) - (1u << first));
}

/* Copies the sectors in mask of a block, or zeros, to the op's data. */
static void give(struct store_op *op, uint64_t block, uint8_t mask, const uint8_t *data)
{
    uint8_t *page = op->pages ? op->pages[block - op->offset / STORE_BLOCK_BYTES] : NULL;
    if (op->is_cancelled)
        return;
    for (unsigned sector = 0; sector < 8; sector++) {
        if (!(mask >> sector & 1))
            continue;
        uint64_t at = block * STORE_BLOCK_BYTES + sector * STORE_SECTOR_BYTES - op->offset;
        uint8_t *to = page ? page + sector * STORE_SECTOR_BYTES : op->data + at;
        if (data)
            memcpy(to, data + sector * STORE_SECTOR_BYTES, STORE_SECTOR_BYTES);
        else
            memset(to, 0, STORE_SECTOR_BYTES);
    }
    op->held[block - op->offset / STORE_BLOCK_BYTES] |= mask;
}

static bool has_group(const struct store *s, const struct store_object *o, uint64_t block)
{
    return o->record.kind == FORMAT_DIFFERENCE &&
           table_find(&s->table, o->record.number, block / TABLE_GROUP_BLOCKS, true) != SLOT_NONE;
}

/* What can be said of a block without I/O; its slot if it must be read, SLOT_NONE if not. */
static uint32_t look_up(struct store *s, struct store_op *op, uint64_t block)
{
    uint8_t wanted = op_mask(op, block);
    uint32_t slot = table_find(&s->table, op->object->record.number, block, false);
    op->held[block - op->offset / STORE_BLOCK_BYTES] = 0;
    if (has_group(s, op->object, block))
        give(op, block, wanted, NULL);
    if (slot == SLOT_NONE)
        return SLOT_NONE;
    struct slot *entry = &s->table.slots[slot];
    if (entry->uses < 3)
        entry->uses++;
    if (!(entry->mask & wanted))
        return SLOT_NONE;
    if (!entry->is_zero)
        return slot;
    give(op, block, entry->mask & wanted, NULL);
    return SLOT_NONE;
}

/* Fills a piece from op->next on. False: no piece is free. */
static bool read_step(struct store *s, struct store_op *op)
{
    struct piece *p = piece_take(s);
    if (!p)
        return false;
    p->op = op;
    p->object = op->object;
    p->phase = PIECE_READ;
    p->count = 0;
    for (uint32_t n = 0; n < STEP_BLOCKS && op->next < op->end && p->count < PIECE_BLOCKS; n++) {
        uint32_t slot = look_up(s, op, op->next);
        if (p->count == 0)
            p->block = op->next; /* what needs no reading is not in the piece's front */
        if (slot != SLOT_NONE || p->count) {
            p->slots[p->count] = slot;
            if (slot != SLOT_NONE) {
                p->keys[p->count] = slot_key(&s->table.slots[slot]);
                p->crcs[p->count] = s->table.slots[slot].crc;
            }
            p->count++;
        }
        op->next++;
    }
    if (!piece_start(s, p, STORE_IO_READ, p->slots, PIECE_BLOCKS)) {
        piece_put(s, p);
        return true;
    }
    p->serial = s->serial;
    list_push_back(&s->reading, &p->reading);
    op->pieces++;
    return true;
}

void read_run(struct store *s)
{
    struct list *next;
    for (struct list *node = s->reads.next; node != &s->reads; node = next) {
        struct store_op *op = LIST_ENTRY(node, struct store_op, node);
        next = node->next;
        if (op->object->record.is_damaged && !object_is_image(op->object)) {
            op->status = STORE_DAMAGED;
            op->next = op->end;
        }
        while (op->next < op->end)
            if (!read_step(s, op))
                break;
        if (op->next == op->end && op->pieces == 0)
            store_finish(s, op, STORE_OK);
    }
}

/* What was read of a slot is not what was written there. */
static void damage_found(struct store *s, struct piece *p, uint32_t i)
{
    struct slot *slot = &s->table.slots[p->slots[i]];
    bool is_image = object_is_image(p->object);
    s->info.damaged_blocks++;
    if (s->info.damaged_blocks <= 16) /* the counter tells the rest */
        store_log(s, "store: block %llu of object %llu (%s) is damaged on the disk%s",
                  (unsigned long long)p->keys[i].block, (unsigned long long)p->object->record.id,
                  is_image ? "cached" : p->object->record.name,
                  is_image ? "; it will be fetched again" : "");
    slot->is_bad = true;
    if (!is_image)
        p->op->status = STORE_DAMAGED; /* stays mapped: the base image must not show through */
    else if (slot_is_mapped(slot) && s->journal.count < PENDING_ROOM)
        slot_unmap(s, p->slots[i]);
}

void store_forget(struct store_object *image, uint64_t block)
{
    struct store *s = image->store;
    uint32_t slot = table_find(&s->table, image->record.number, block, false);
    if (slot == SLOT_NONE || !slot_is_mapped(&s->table.slots[slot]) ||
        s->journal.count >= PENDING_ROOM)
        return;
    slot_unmap(s, slot);
}

static bool is_intact(const struct store *s, const struct piece *p, uint32_t i)
{
    return p->crcs[i] == format_block_crc(s->store_id, p->object->record.id, &p->keys[i],
                                          p->data + (uint64_t)i * STORE_BLOCK_BYTES);
}

void read_piece_done(struct store *s, struct piece *p)
{
    struct store_op *op = p->op;
    if (p->has_failed && p->tries++ == 0) { /* each by itself: one bad sector, one bad block */
        piece_start(s, p, STORE_IO_READ, p->slots, 1);
        return;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->slots[i] == SLOT_NONE)
            continue;
        if (is_intact(s, p, i))
            give(op, p->block + i, p->keys[i].mask & op_mask(op, p->block + i),
                 p->data + (uint64_t)i * STORE_BLOCK_BYTES);
        else
            damage_found(s, p, i);
    }
    op->pieces--;
    piece_put(s, p);
}

bool store_holds_some(const struct store_object *o, uint64_t offset, uint64_t length)
{
    const struct table *t = &o->store->table;
    if (t->mapped[o->record.number] == 0)
        return false;
    uint64_t end = (offset + length + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES;
    for (uint64_t block = offset / STORE_BLOCK_BYTES; block < end; block++)
        if (table_find(t, o->record.number, block, false) != SLOT_NONE ||
            has_group(o->store, o, block))
            return true;
    return false;
}

bool store_holds(const struct store_object *o, uint64_t offset, uint64_t length)
{
    struct store_op range = {.offset = offset, .length = length};
    const struct table *t = &o->store->table;
    uint64_t end = (offset + length + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES;
    for (uint64_t block = offset / STORE_BLOCK_BYTES; block < end; block++) {
        uint32_t slot = table_find(t, o->record.number, block, false);
        uint8_t mask = slot == SLOT_NONE ? 0 : t->slots[slot].mask;
        if (op_mask(&range, block) & ~mask && !has_group(o->store, o, block))
            return false;
    }
    return true;
}
