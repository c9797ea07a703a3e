// SPDX-License-Identifier: BSD-2-Clause
/*
 * The store's inside, shared by store.c (life, the outside, I/O), object.c (objects), read.c,
 * write.c (writes and cached blocks), unmap.c (discard, zeroes, eviction, deletion), blob.c,
 * journal.c (commits), checkpoint.c and recover.c (format and open).
 */
#ifndef VDISK_STORE_INSIDE_H
#define VDISK_STORE_INSIDE_H

#include "vdisk/store/format.h"
#include "vdisk/store/table.h"

#define PIECE_BLOCKS 16u
#define PENDING_ROOM 8192u  /* changes of slots that wait for the journal */
#define PENDING_SLACK 1024u /* of these, kept for blocks that turn out to be damaged */
#define BATCH_PAGES 16u
#define CHECKPOINT_PAGES 8u /* written at once */
#define NEVER UINT64_MAX

struct store_object {
    struct store *store;
    struct format_object record;  /* as it is now */
    struct format_object sent;    /* as the batch under way says */
    struct format_object on_disk; /* as the journal durably says */
    bool is_dirty, is_sent;
    bool is_building; /* a blob whose content is on its way: DYING on the disk */
    uint32_t refs;
    uint32_t sweep; /* of a DYING one: slots below are looked through */
};

/* One buffer of data under way, with its I/Os. */
enum piece_phase { PIECE_READ, PIECE_READ_BASE, PIECE_WRITE };
struct piece {
    struct list node;    /* in store->pieces_free or pieces_done; alone while its I/Os run */
    struct list reading; /* in store->reading while slots are read */
    struct store *store;
    struct store_op *op; /* NULL: of store_put */
    struct store_object *object;
    enum piece_phase phase;
    bool has_failed;
    uint8_t tries;
    uint64_t serial; /* of store->serial, when its reading began */
    uint64_t block;
    uint32_t count, ios_left;
    uint32_t slots[PIECE_BLOCKS]; /* read from, or written to; SLOT_NONE: nothing to read */
    uint32_t base[PIECE_BLOCKS];  /* slot of the old content that is merged in; SLOT_NONE */
    struct format_key keys[PIECE_BLOCKS];
    uint32_t crcs[PIECE_BLOCKS];
    uint8_t *data;
    struct store_io ios[PIECE_BLOCKS];
};

/* Metadata pages on their way to the disk, each to two places. */
struct meta_write {
    struct store *store;
    uint8_t *pages;
    uint32_t ios_left; /* 0: all of them have ended */
    bool has_failed;
    struct store_io ios[2 * BATCH_PAGES];
    struct store_io flush;
};

enum journal_phase { JOURNAL_IDLE, JOURNAL_DATA, JOURNAL_PAGES, JOURNAL_FLUSH, JOURNAL_RELEASE };
struct journal {
    /* Slots whose state has changed, oldest first, each once: a ring. Those of the batch under way
       are the first batch_slots. */
    uint32_t *pending;
    uint32_t first, count, reserved;
    uint64_t slots_appended, slots_durable; /* since open */
    uint64_t objects_changed, objects_durable;
    uint64_t oldest_ns; /* when the first of those that wait was appended */

    uint64_t next, tail;     /* sequence of the next page; of the first that recovery needs */
    uint64_t session, chain; /* chain: session of the page before next */
    enum journal_phase phase;
    uint32_t batch_slots, batch_pages;
    uint64_t batch_objects, batch_serial, batch_first, batch_chain;
    struct meta_write write;
};

enum checkpoint_phase {
    CHECKPOINT_IDLE,
    CHECKPOINT_INDEX,
    CHECKPOINT_ROOT,
    CHECKPOINT_FLUSH,
    CHECKPOINT_SUPER,
    CHECKPOINT_END
};
struct checkpoint {
    uint64_t number; /* of the last durable one */
    enum checkpoint_phase phase;
    uint32_t cursor; /* next index or root page to look at */
    bool is_wanted;
    uint64_t journal_first, journal_chain;
    uint64_t *dirty; /* bit for each index page that differs from the one on the disk */
    uint32_t *root_crc;
    uint8_t *root_flags;
    struct meta_write write;
};

struct recovery {
    bool (*step)(struct store *s); /* false: waits for the device. NULL: not in recovery */
    store_opened_fn *opened;
    void *owner;
    enum store_status result;
    uint64_t window_page; /* of the range; what the first CHECKPOINT_PAGES of scratch hold */
    uint32_t window_count;
    bool is_window_ok;
    uint32_t cursor, tries;
    uint32_t copy; /* that is looked at */
    uint64_t sequence;
    struct format_super super;
    bool has_super, was_other_version, has_io_error;
    bool is_lost; /* some of the metadata: differences and blobs cannot be trusted */
    bool is_journal_lost;
};

struct store {
    const struct store_platform *platform;
    struct store_options options;
    uint64_t now_ns, base, serial;
    bool is_open;
    struct format_layout layout;
    uint64_t store_id, next_object_id;
    struct table table;
    struct store_object objects[STORE_OBJECTS];
    struct piece *pieces;
    uint8_t *memory; /* as allocated */
    struct list pieces_free, pieces_done, reading;
    struct list writes;   /* WRITE, ZERO, DISCARD, PUT_BLOB: in order of submission */
    struct list reads;    /* that wait for pieces, or have some under way */
    struct list flushes;  /* that wait for the journal */
    struct list finished; /* done() is to be called */
    struct journal journal;
    struct checkpoint checkpoint;
    struct recovery recovery;
    uint32_t reserve;      /* free slots that only overwriting may use */
    uint32_t free_target;  /* free slots that eviction keeps */
    uint32_t image_mapped; /* slots that could be evicted */
    uint32_t dying;        /* objects that are being swept */
    bool wants_room, wants_again;
    struct store_io read_io; /* of recovery */
    bool is_reading, is_read_ok;
    uint8_t *scratch; /* CHECKPOINT_PAGES pages */
    struct store_info info;
};

static inline bool bit_get(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
}
static inline void bit_set(uint64_t *bits, uint32_t i)
{
    bits[i / 64] |= 1ull << i % 64;
}
static inline void bit_clear(uint64_t *bits, uint32_t i)
{
    bits[i / 64] &= ~(1ull << i % 64);
}

/* -- store.c -- */
__attribute__((format(printf, 2, 3))) void store_log(struct store *s, const char *fmt, ...);
/* page: of the range. Asserts that the range holds it. */
void store_io_start(struct store *s, struct store_io *io, enum store_io_type type, uint64_t page,
                    uint32_t pages, uint8_t *data);
/* Writes page n of w->pages to two places. */
void meta_write_page(struct meta_write *w, uint32_t n, uint64_t place, uint64_t other);
void meta_flush(struct meta_write *w); /* counts in ios_left like the writes */
/* No more writes and flushes, for good: what is on the disk is not known. */
void store_fail(struct store *s, const char *why);
void store_finish(struct store *s, struct store_op *op, enum store_status status);
struct piece *piece_take(struct store *s);
void piece_put(struct store *s, struct piece *p);
/* Starts the I/Os for the runs of neighbouring slots, at most `most` in one; SLOT_NONE is passed
   over. True: there are some. */
bool piece_start(struct store *s, struct piece *p, enum store_io_type type, const uint32_t *slots,
                 uint32_t most);

/* -- object.c -- */
void object_changed(struct store_object *o);
uint64_t object_blocks(const struct store_object *o);
bool object_is_image(const struct store_object *o);
struct store_object *object_make(struct store *s, enum format_object_kind kind, const char *name,
                                 const uint8_t *content, uint64_t size_bytes);
struct store_object *object_by_name(struct store *s, enum format_object_kind kind,
                                    const char *name);
void object_kill(struct store_object *o);

/* -- unmap.c -- */
/* A mapped slot leaves the lookups; the journal will say so. Needs journal_room(). */
void slot_unmap(struct store *s, uint32_t slot);
/* A slot WRITING, or SLOT_FREE that was never mapped, becomes mapped, and what was mapped for its
   key before is unmapped. Needs journal_room() for two. */
void slot_map(struct store *s, uint32_t slot, const struct format_key *key, uint32_t crc);
/* Free slots for `count` blocks, `grows` of which are not mapped yet. OK, FULL; or false in
   *is_now: later. */
enum store_status slot_room(struct store *s, uint32_t count, uint32_t grows, bool *is_now);
void evict_run(struct store *s);
void sweep_run(struct store *s);
/* Moves a DISCARD or ZERO on as far as it goes; false: it waits. */
bool discard_step(struct store *s, struct store_op *op);
bool zero_step(struct store *s, struct store_op *op);

/* -- read.c, write.c, blob.c -- */
void read_run(struct store *s);
void read_piece_done(struct store *s, struct piece *p);
void write_run(struct store *s);
void write_piece_done(struct store *s, struct piece *p);
/* Starts a piece for the blocks at op->next; false: it waits, or op->status says why not. */
bool write_step(struct store *s, struct store_op *op);
/* Sectors of `block` that lie in the op's range. */
uint8_t op_mask(const struct store_op *op, uint64_t block);
void write_done(struct store *s, struct store_op *op); /* all its pieces have ended */
bool blob_step(struct store *s, struct store_op *op);
void blob_flushed(struct store *s, struct store_op *op);
void blob_abandon(struct store_op *op); /* a PUT_BLOB that failed */

/* -- journal.c -- */
bool journal_room(const struct store *s, uint32_t count);
void journal_append(struct store *s, uint32_t slot);
void journal_wait(struct store *s, struct store_op *op); /* until what is there is durable */
void journal_run(struct store *s);
uint64_t journal_deadline(const struct store *s);

/* -- checkpoint.c -- */
void checkpoint_run(struct store *s);
void checkpoint_mark(struct store *s, uint32_t slot); /* its entry on the disk is old */

/* -- recover.c -- */
void recovery_run(struct store *s);
void recovery_end(struct store *s, enum store_status result);
/* The page, from the window or read with up to `ahead` pages in all; NULL: it is on its way. What
   cannot be read is a page of zeros. */
const uint8_t *recovery_page(struct store *s, uint64_t page, uint32_t ahead);
uint64_t store_range_pages(const struct store *s);
/* For s->layout; false: no memory. */
bool index_memory(struct store *s);
void index_memory_free(struct store *s);

/* -- replay.c -- */
bool replay_step(struct store *s);
/* Slot `index` is now what the disk says, whatever was known of it and of its key. False: the disk
   says what cannot be. */
bool recovery_set_slot(struct store *s, uint32_t index, uint64_t packed, uint32_t crc);
bool recovery_set_object(struct store *s, const uint8_t *page, uint32_t record);

#endif
