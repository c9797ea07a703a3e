// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writes of differences, and blocks of images that are put into the cache. Data go to slots that
 * nothing refers to, and are mapped when the device has them; the journal makes that durable.
 */
#include "vdisk/store/inside.h"

#include <string.h>

#define MAX_TRIES 3u /* other slots for data that the device could not write */

static uint8_t *block_data(struct piece *p, uint32_t i)
{
    return p->data + (uint64_t)i * STORE_BLOCK_BYTES;
}

/* A slot for each block of the piece, neighbours if possible. There are enough. */
static void take_slots(struct store *s, struct piece *p)
{
    uint32_t last = SLOT_NONE;
    for (uint32_t i = 0; i < p->count; i++)
        last = p->slots[i] = table_take(&s->table, p->object->record.number, last);
}

static void give_up_slots(struct store *s, struct piece *p, bool is_bad)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->slots[i] == SLOT_NONE)
            continue;
        s->table.slots[p->slots[i]].is_bad = is_bad;
        table_release(&s->table, p->slots[i]);
        p->slots[i] = SLOT_NONE;
    }
}

static void start_writing(struct store *s, struct piece *p)
{
    p->phase = PIECE_WRITE;
    piece_start(s, p, STORE_IO_WRITE, p->slots, PIECE_BLOCKS);
}

static void sum_up(struct store *s, struct piece *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        p->crcs[i] =
            format_block_crc(s->store_id, p->object->record.id, &p->keys[i], block_data(p, i));
}

/* The op's sectors over what is in the buffer. */
static void take_data(struct piece *p)
{
    const struct store_op *op = p->op;
    for (uint32_t i = 0; i < p->count; i++) {
        uint8_t mask = op_mask(op, p->block + i);
        for (unsigned sector = 0; sector < 8; sector++) {
            uint8_t *to = block_data(p, i) + sector * STORE_SECTOR_BYTES;
            uint64_t at = (p->block + i) * STORE_BLOCK_BYTES + sector * STORE_SECTOR_BYTES;
            if (!(mask >> sector & 1))
                continue;
            memset(to, 0, STORE_SECTOR_BYTES);
            uint64_t left = op->offset + op->length - at; /* a blob may end in the sector */
            if (op->type != STORE_ZERO)
                memcpy(to, op->data + (at - op->offset),
                       left < STORE_SECTOR_BYTES ? left : STORE_SECTOR_BYTES);
        }
    }
}

/* What of the block's old content stays under a write of only some sectors. */
static void plan_block(struct store *s, struct piece *p, uint32_t i)
{
    unsigned object = p->object->record.number;
    uint64_t block = p->block + i;
    uint8_t mask = op_mask(p->op, block);
    uint32_t old = table_find(&s->table, object, block, false);
    bool has_group = table_find(&s->table, object, block / TABLE_GROUP_BLOCKS, true) != SLOT_NONE;
    uint8_t under = old != SLOT_NONE ? s->table.slots[old].mask : 0;
    p->base[i] = SLOT_NONE;
    if (mask != 0xff) {
        memset(block_data(p, i), 0, STORE_BLOCK_BYTES);
        if (under & ~mask && !s->table.slots[old].is_zero)
            p->base[i] = old;
        mask |= has_group ? 0xff : under;
    }
    p->keys[i] = (struct format_key){.block = block, .object = (uint8_t)object, .mask = mask};
}

static uint32_t unmapped_blocks(const struct store *s, const struct store_op *op, uint32_t count)
{
    uint32_t grows = 0;
    for (uint32_t i = 0; i < count; i++)
        grows += table_find(&s->table, op->object->record.number, op->next + i, false) == SLOT_NONE;
    return grows;
}

/* How many blocks from op->next on go into one piece of this op. */
static uint32_t piece_count(const struct store_op *op)
{
    uint64_t count = op->end - op->next;
    if (op->type == STORE_ZERO)
        return 1; /* others of its blocks need no data */
    return count < PIECE_BLOCKS ? (uint32_t)count : PIECE_BLOCKS;
}

bool write_step(struct store *s, struct store_op *op)
{
    uint32_t count = piece_count(op);
    bool is_now;
    if (!journal_room(s, 2 * count) || list_is_empty(&s->pieces_free))
        return false;
    op->status = slot_room(s, count, unmapped_blocks(s, op, count), &is_now);
    if (!is_now)
        return false;
    struct piece *p = piece_take(s);
    p->op = op;
    p->object = op->object;
    p->block = op->next;
    p->count = count;
    s->journal.reserved += 2 * count;
    take_slots(s, p);
    for (uint32_t i = 0; i < count; i++)
        plan_block(s, p, i);
    op->next += count;
    op->pieces++;
    if (piece_start(s, p, STORE_IO_READ, p->base, 1)) {
        p->phase = PIECE_READ_BASE;
        p->serial = s->serial;
        list_push_back(&s->reading, &p->reading);
        return true;
    }
    take_data(p);
    sum_up(s, p);
    start_writing(s, p);
    return true;
}

/* True: the old content of every block that is merged is what was written there. */
static bool is_base_intact(struct store *s, struct piece *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->base[i] == SLOT_NONE)
            continue;
        const struct slot *old = &s->table.slots[p->base[i]];
        struct format_key key = slot_key(old);
        if (old->crc == format_block_crc(s->store_id, p->object->record.id, &key, block_data(p, i)))
            continue;
        s->info.damaged_blocks++;
        return false;
    }
    return true;
}

static void end_piece(struct store *s, struct piece *p, enum store_status status)
{
    s->journal.reserved -= 2 * p->count;
    if (p->op) {
        p->op->pieces--;
        if (status != STORE_OK)
            p->op->status = status;
        s->wants_again = true;
    } else {
        p->object->refs--;
    }
    piece_put(s, p);
}

static void base_read(struct store *s, struct piece *p)
{
    list_remove(&p->reading);
    if (p->has_failed || p->op->is_cancelled || !is_base_intact(s, p)) {
        give_up_slots(s, p, false);
        end_piece(s, p, STORE_DAMAGED);
        return;
    }
    take_data(p);
    sum_up(s, p);
    start_writing(s, p);
}

static void map_piece(struct store *s, struct piece *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        bool is_known = !p->op && table_find(&s->table, p->keys[i].object, p->keys[i].block,
                                             false) != SLOT_NONE;
        if (is_known || p->object->record.state != FORMAT_OBJECT_LIVE)
            table_release(&s->table, p->slots[i]);
        else
            slot_map(s, p->slots[i], &p->keys[i], p->crcs[i]);
    }
}

void write_piece_done(struct store *s, struct piece *p)
{
    bool is_now;
    if (p->phase == PIECE_READ_BASE) {
        base_read(s, p);
        return;
    }
    if (!p->has_failed) {
        map_piece(s, p);
        end_piece(s, p, STORE_OK);
        return;
    }
    give_up_slots(s, p, true);
    slot_room(s, p->count, 0, &is_now);
    if (!p->op || ++p->tries == MAX_TRIES || !is_now || s->info.failure) {
        end_piece(s, p, STORE_FAILED);
        return;
    }
    take_slots(s, p);
    start_writing(s, p);
}

uint32_t store_put(struct store_object *image, uint64_t first_block, uint32_t count,
                   const uint8_t *data)
{
    struct store *s = image->store;
    uint32_t done = 0;
    while (done < count && first_block + done < object_blocks(image) && !s->info.failure) {
        uint32_t n = 0;
        while (n < PIECE_BLOCKS && done + n < count &&
               table_find(&s->table, image->record.number, first_block + done + n, false) ==
                   SLOT_NONE)
            n++;
        if (n == 0) {
            done++; /* is there */
            continue;
        }
        bool is_now;
        slot_room(s, n, n, &is_now);
        if (!is_now || !journal_room(s, 2 * n) || list_is_empty(&s->pieces_free)) {
            s->info.dropped_puts += count - done;
            break;
        }
        struct piece *p = piece_take(s);
        p->op = NULL;
        p->object = image;
        image->refs++;
        p->block = first_block + done;
        p->count = n;
        s->journal.reserved += 2 * n;
        memcpy(p->data, data + (uint64_t)done * STORE_BLOCK_BYTES, (size_t)n * STORE_BLOCK_BYTES);
        for (uint32_t i = 0; i < n; i++)
            p->keys[i] = (struct format_key){
                .block = p->block + i, .object = image->record.number, .mask = 0xff};
        take_slots(s, p);
        sum_up(s, p);
        start_writing(s, p);
        s->info.put_bytes += (uint64_t)n * STORE_BLOCK_BYTES;
        done += n;
    }
    return done;
}

/* An earlier request of the queue touches a block of this one: it goes first. */
static bool is_blocked(const struct store *s, const struct store_op *op)
{
    for (struct list *node = s->writes.next; node != &op->node; node = node->next) {
        const struct store_op *other = LIST_ENTRY(node, struct store_op, node);
        if (other->type != STORE_PUT_BLOB && other->object == op->object &&
            other->offset / STORE_BLOCK_BYTES < op->end &&
            op->offset / STORE_BLOCK_BYTES < other->end)
            return true;
    }
    return false;
}

void write_done(struct store *s, struct store_op *op)
{
    list_remove(&op->node);
    if (op->status != STORE_OK && op->type == STORE_PUT_BLOB)
        blob_abandon(op);
    if (op->status == STORE_OK && op->type == STORE_WRITE)
        s->info.written_bytes += op->length;
    if (op->status == STORE_OK && (op->is_fua || op->type == STORE_PUT_BLOB))
        journal_wait(s, op);
    else
        store_finish(s, op, STORE_OK);
}

/* True: nothing of it is left to start. */
static bool op_step(struct store *s, struct store_op *op)
{
    switch (op->type) {
    case STORE_DISCARD:
        return discard_step(s, op);
    case STORE_ZERO:
        return zero_step(s, op);
    case STORE_PUT_BLOB:
        return blob_step(s, op);
    default:
        while (op->next < op->end && op->status == STORE_OK)
            if (!write_step(s, op))
                return op->status != STORE_OK;
        return true;
    }
}

void write_run(struct store *s)
{
    struct list *next;
    for (struct list *node = s->writes.next; node != &s->writes; node = next) {
        struct store_op *op = LIST_ENTRY(node, struct store_op, node);
        next = node->next;
        if (s->info.failure)
            op->status = STORE_FAILED;
        else if (op->type != STORE_PUT_BLOB && op->object->record.is_damaged)
            op->status = STORE_DAMAGED;
        bool has_ended = op->status != STORE_OK;
        if (!has_ended && (op->type == STORE_PUT_BLOB || !is_blocked(s, op)))
            has_ended = op_step(s, op);
        if (has_ended && op->pieces == 0)
            write_done(s, op);
    }
}
