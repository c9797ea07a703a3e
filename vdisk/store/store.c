// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/store/inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PIECES 16u
#define MAX_PIECES 256u
#define DEFAULT_COMMIT_NS 5000000000ull
#define PIECE_BYTES (PIECE_BLOCKS * STORE_BLOCK_BYTES)
#define META_PAGES (BATCH_PAGES + 2 * CHECKPOINT_PAGES) /* batch, checkpoint, scratch */

const char *store_status_text(enum store_status status)
{
    static const char *const texts[] = {
        [STORE_OK] = "done",
        [STORE_FULL] = "the store is full",
        [STORE_FAILED] = "the store's disk failed",
        [STORE_DAMAGED] = "what was stored is damaged",
        [STORE_MISSING] = "not in the store",
        [STORE_MISMATCH] = "the difference belongs to another image",
        [STORE_INVALID] = "a request outside the disk or not in whole sectors",
        [STORE_NO_MEMORY] = "no memory, or too many objects in the store",
        [STORE_BLANK] = "there is no store yet",
        [STORE_FOREIGN] = "the store was made by another version, or for a larger range"};
    return texts[status];
}

static uint32_t pieces_of(uint32_t pieces)
{
    return pieces == 0 ? DEFAULT_PIECES : pieces;
}

uint64_t store_ram_bytes(uint64_t use_bytes, uint32_t pieces)
{
    struct format_layout l;
    if (!format_layout(use_bytes / FORMAT_PAGE, &l))
        return 0;
    return table_ram_bytes(l.slots) + (uint64_t)l.index_pages * 6 + sizeof(struct store) +
           PENDING_ROOM * 4 + (uint64_t)(META_PAGES + 1) * FORMAT_PAGE +
           pieces_of(pieces) * (sizeof(struct piece) + (uint64_t)PIECE_BYTES);
}

uint32_t store_ios_most(uint32_t pieces)
{
    return pieces_of(pieces) * PIECE_BLOCKS + 2 * BATCH_PAGES + 2 * CHECKPOINT_PAGES + 2;
}

void store_log(struct store *s, const char *fmt, ...)
{
    char line[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    s->platform->log(s->platform->ctx, line);
}

/* -- I/O -- */

void store_io_start(struct store *s, struct store_io *io, enum store_io_type type, uint64_t page,
                    uint32_t pages, uint8_t *data)
{
    uint64_t most = (s->options.range_offset + s->options.range_bytes - s->base) / FORMAT_PAGE;
    if (page >= most || pages > most - page)
        abort(); /* a page outside the range is a defect of the store, and would hurt others */
    io->type = type;
    io->offset = s->base + page * FORMAT_PAGE;
    io->length = pages * FORMAT_PAGE;
    io->data = data;
    if (type == STORE_IO_READ)
        s->info.device_read_bytes += io->length;
    else
        s->info.device_written_bytes += io->length;
    s->info.device_commands++;
    s->platform->submit(s->platform->ctx, io);
}

static void meta_written(struct store_io *io, bool is_ok)
{
    struct meta_write *w = io->owner;
    w->ios_left--;
    w->store->info.device_answers++;
    if (!is_ok)
        w->has_failed = true;
}

void meta_write_page(struct meta_write *w, uint32_t n, uint64_t place, uint64_t other)
{
    const uint64_t places[2] = {place, other};
    for (unsigned copy = 0; copy < 2; copy++) {
        struct store_io *io = &w->ios[2 * n + copy];
        io->done = meta_written;
        io->owner = w;
        w->ios_left++;
        store_io_start(w->store, io, STORE_IO_WRITE, places[copy], 1, w->pages + n * FORMAT_PAGE);
    }
}

void meta_flush(struct meta_write *w)
{
    w->flush = (struct store_io){.type = STORE_IO_FLUSH, .done = meta_written, .owner = w};
    w->ios_left++;
    w->store->info.device_flushes++;
    w->store->info.device_commands++;
    w->store->platform->submit(w->store->platform->ctx, &w->flush);
}

static void piece_ended(struct store_io *io, bool is_ok)
{
    struct piece *p = io->owner;
    p->store->info.device_answers++;
    if (!is_ok) {
        p->has_failed = true;
        p->store->info.io_errors++;
    }
    if (--p->ios_left == 0)
        list_push_back(&p->store->pieces_done, &p->node);
}

bool piece_start(struct store *s, struct piece *p, enum store_io_type type, const uint32_t *slots,
                 uint32_t most)
{
    uint32_t used = 0;
    p->has_failed = false;
    for (uint32_t i = 0; i < p->count;) {
        uint32_t n = 1;
        if (slots[i] == SLOT_NONE) {
            i++;
            continue;
        }
        while (n < most && i + n < p->count && slots[i + n] == slots[i] + n)
            n++;
        struct store_io *io = &p->ios[used++];
        io->done = piece_ended;
        io->owner = p;
        p->ios_left++;
        store_io_start(s, io, type, format_data_page(&s->layout, slots[i]), n,
                       p->data + (uint64_t)i * STORE_BLOCK_BYTES);
        i += n;
    }
    return used != 0;
}

struct piece *piece_take(struct store *s)
{
    struct list *node = list_pop(&s->pieces_free);
    if (!node)
        return NULL;
    struct piece *p = LIST_ENTRY(node, struct piece, node);
    p->tries = 0;
    p->has_failed = false;
    p->ios_left = 0;
    for (uint32_t i = 0; i < PIECE_BLOCKS; i++)
        p->slots[i] = p->base[i] = SLOT_NONE;
    return p;
}

void piece_put(struct store *s, struct piece *p)
{
    list_remove(&p->reading);
    list_push_back(&s->pieces_free, &p->node);
}

/* -- life -- */

static bool are_options_good(const struct store_options *o)
{
    return (o->sector_bytes == 512 || o->sector_bytes == FORMAT_PAGE) &&
           o->range_offset % o->sector_bytes == 0 && o->pieces <= MAX_PIECES && o->pieces != 1 &&
           o->range_bytes <= UINT64_MAX - o->range_offset && o->range_bytes >= FORMAT_PAGE;
}

static bool take_memory(struct store *s)
{
    uint32_t pieces = s->options.pieces;
    s->pieces = calloc(pieces, sizeof s->pieces[0]);
    s->journal.pending = malloc(PENDING_ROOM * sizeof s->journal.pending[0]);
    s->memory = malloc((size_t)(META_PAGES + 1) * FORMAT_PAGE + (size_t)pieces * PIECE_BYTES);
    if (!s->pieces || !s->journal.pending || !s->memory)
        return false;
    uint8_t *at = s->memory + (FORMAT_PAGE - (uintptr_t)s->memory % FORMAT_PAGE);
    s->journal.write.pages = at;
    s->checkpoint.write.pages = at + BATCH_PAGES * FORMAT_PAGE;
    s->scratch = s->checkpoint.write.pages + CHECKPOINT_PAGES * FORMAT_PAGE;
    at = s->scratch + CHECKPOINT_PAGES * FORMAT_PAGE;
    for (uint32_t i = 0; i < pieces; i++, at += PIECE_BYTES) {
        struct piece *p = &s->pieces[i];
        p->store = s;
        p->data = at;
        list_init(&p->reading);
        list_push_back(&s->pieces_free, &p->node);
    }
    return true;
}

struct store *store_create(const struct store_platform *platform,
                           const struct store_options *options)
{
    if (!are_options_good(options))
        return NULL;
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->platform = platform;
    s->options = *options;
    s->options.pieces = pieces_of(options->pieces);
    if (!s->options.commit_ns)
        s->options.commit_ns = DEFAULT_COMMIT_NS;
    /* Whole pages of the device: a page never shares a sector with what lies before the range. */
    s->base = (options->range_offset + FORMAT_PAGE - 1) / FORMAT_PAGE * FORMAT_PAGE;
    struct list *lists[] = {&s->pieces_free, &s->pieces_done, &s->reading, &s->writes,
                            &s->reads,       &s->flushes,     &s->finished};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        list_init(lists[i]);
    s->journal.write.store = s->checkpoint.write.store = s;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        s->objects[i].store = s;
        s->objects[i].record.number = s->objects[i].on_disk.number = (uint8_t)i;
    }
    if (!take_memory(s)) {
        store_destroy(s);
        return NULL;
    }
    return s;
}

void store_destroy(struct store *s)
{
    index_memory_free(s);
    free(s->journal.pending);
    free(s->pieces);
    free(s->memory);
    free(s);
}

void store_fail(struct store *s, const char *why)
{
    if (s->info.failure)
        return;
    s->info.failure = why;
    s->wants_again = true; /* those who wait are told */
    store_log(s, "store: %s; it takes no more writes until it is opened again", why);
}

/* -- operations -- */

static bool is_range_good(const struct store_op *op)
{
    uint64_t size = op->object->record.size_bytes;
    if (op->type == STORE_READ && op->object->record.kind == FORMAT_BLOB)
        size = object_blocks(op->object) * STORE_BLOCK_BYTES;
    return op->offset % STORE_SECTOR_BYTES == 0 && op->length % STORE_SECTOR_BYTES == 0 &&
           op->length <= size && op->offset <= size - op->length;
}

static bool is_op_good(const struct store_op *op)
{
    switch (op->type) {
    case STORE_FLUSH:
        return true;
    case STORE_PUT_BLOB:
        return op->length <= STORE_BLOB_BYTES && op->name[0] != '\0' &&
               strlen(op->name) < STORE_NAME_BYTES;
    case STORE_READ:
        return is_range_good(op) && (!op->pages || op->offset % STORE_BLOCK_BYTES == 0);
    default:
        return op->object->record.kind == FORMAT_DIFFERENCE && is_range_good(op);
    }
}

void store_finish(struct store *s, struct store_op *op, enum store_status status)
{
    if (op->status == STORE_OK)
        op->status = status;
    list_remove(&op->node);
    list_push_back(&s->finished, &op->node);
}

void store_submit(struct store *s, struct store_op *op)
{
    s->wants_again = true; /* it may be submitted by a done() of this very run */
    op->pieces = 0;
    op->step = 0;
    op->is_cancelled = false;
    op->status = STORE_OK;
    op->blob = NULL;
    list_init(&op->node);
    if (!s->is_open || !is_op_good(op)) {
        store_finish(s, op, STORE_INVALID);
        return;
    }
    op->next = op->offset / STORE_BLOCK_BYTES;
    op->end = (op->offset + op->length + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES;
    if (op->type == STORE_READ)
        list_push_back(&s->reads, &op->node);
    else if (op->type == STORE_FLUSH)
        journal_wait(s, op);
    else
        list_push_back(&s->writes, &op->node);
}

/* Its pieces under way have buffers of their own; they end as they are. */
void store_cancel(struct store_op *op)
{
    op->is_cancelled = true;
    op->next = op->end;
    if (op->status == STORE_OK && op->type != STORE_READ)
        op->status = STORE_INVALID;
    op->object->store->wants_again = true;
}

static void pieces_run(struct store *s)
{
    struct list *node;
    while ((node = list_pop(&s->pieces_done))) {
        struct piece *p = LIST_ENTRY(node, struct piece, node);
        if (p->phase == PIECE_READ)
            read_piece_done(s, p);
        else
            write_piece_done(s, p);
    }
}

static void finished_run(struct store *s)
{
    struct list *node;
    while ((node = list_pop(&s->finished))) {
        struct store_op *op = LIST_ENTRY(node, struct store_op, node);
        op->done(op, op->status);
    }
}

uint64_t store_run(struct store *s)
{
    s->now_ns = s->platform->now_ns(s->platform->ctx);
    s->wants_room = s->wants_again = false;
    if (s->recovery.step)
        recovery_run(s);
    if (!s->is_open) {
        finished_run(s);
        return s->wants_again ? s->now_ns : NEVER;
    }
    pieces_run(s);
    read_run(s);
    write_run(s);
    sweep_run(s);
    evict_run(s);
    journal_run(s);
    checkpoint_run(s);
    finished_run(s);
    return s->wants_again ? s->now_ns : journal_deadline(s);
}

void store_get_info(const struct store *s, struct store_info *info)
{
    *info = s->info;
    info->blocks = s->layout.slots;
    info->free_blocks = s->table.in_state[SLOT_FREE];
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        const struct store_object *o = &s->objects[i];
        *(object_is_image(o) ? &info->image_blocks : &info->other_blocks) += s->table.mapped[i];
    }
}
