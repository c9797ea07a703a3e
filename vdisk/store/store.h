// SPDX-License-Identifier: BSD-2-Clause
/*
 * The local store: one range of a disk that holds cached blocks of images, the differences of disks
 * in mode `local`, and small named blobs (boot profiles). docs/store.md describes the format and
 * what is promised.
 *
 * Single-threaded and event-driven: operations are submitted, the platform reports what the device
 * has done, store_run() moves everything that can move. An operation's done() is called exactly
 * once, from store_run() only. Nothing blocks; memory is allocated by store_create() and
 * store_open() alone (store_ram_bytes() says how much).
 */
#ifndef VDISK_STORE_STORE_H
#define VDISK_STORE_STORE_H

#include <stddef.h>

#include "vdisk/store/device.h"

#define STORE_BLOCK_BYTES 4096u
#define STORE_SECTOR_BYTES 512u
#define STORE_OBJECTS 126u      /* images, differences and blobs together */
#define STORE_NAME_BYTES 64u    /* of a difference or blob, with the final 0 */
#define STORE_CONTENT_BYTES 32u /* of a content id */
#define STORE_BLOB_BYTES (1u << 20)

enum store_status {
    STORE_OK,
    STORE_FULL,      /* differences and blobs fill the store */
    STORE_FAILED,    /* the device failed to write or flush */
    STORE_DAMAGED,   /* what was stored cannot be read back, and there is no other copy */
    STORE_MISSING,   /* no such object */
    STORE_MISMATCH,  /* a difference of that name belongs to another base image or size */
    STORE_INVALID,   /* arguments */
    STORE_NO_MEMORY, /* or no free place for another object */
    STORE_BLANK,     /* no store in the range; store_format() makes one */
    STORE_FOREIGN,   /* a store of another version, or larger than the range */
};
/* A short phrase: "the store is full". */
const char *store_status_text(enum store_status status);

struct store_options {
    uint64_t range_offset, range_bytes; /* of the device; not a byte outside is read or written */
    uint32_t sector_bytes;              /* of the device: 512 or 4096; range_offset is a multiple */
    uint64_t use_bytes;                 /* store_format: at most so much of the range; 0: all */
    uint32_t pieces;                    /* buffers of 64 KiB for data under way, 2 .. 256; 0: 16 */
    uint64_t commit_ns; /* cached blocks are made durable so long after they came; 0: 5 s */
};

struct store;
struct store_object; /* an image, difference or blob that is open */

/* Bytes of memory for a store that uses so many bytes of a disk: at most 5.6 MiB for each GiB, and
   1.3 MiB + pieces * 70 KiB. */
uint64_t store_ram_bytes(uint64_t use_bytes, uint32_t pieces);
/* Commands that the device may have at the same time. */
uint32_t store_ios_most(uint32_t pieces);

/* NULL: no memory, or options outside what is said above. The platform must outlive the store. */
struct store *store_create(const struct store_platform *platform,
                           const struct store_options *options);
/* No command may be with the device (or the platform must forget them: a power cut). What was not
   flushed may be lost; done() of operations under way is not called. */
void store_destroy(struct store *s);

/* Makes an empty store in the range, whatever was there, or opens the one that is there.
   opened(owner, status) is called once, by store_run: OK, BLANK, FOREIGN, DAMAGED (the metadata
   contradicts itself), FAILED, NO_MEMORY. Nothing else may be called before it has said OK. */
typedef void store_opened_fn(void *owner, enum store_status status);
void store_format(struct store *s, store_opened_fn *opened, void *owner);
void store_open(struct store *s, store_opened_fn *opened, void *owner);

/* Moves everything that can move. Returns the time at which it wants to be called again even if
   nothing happens (UINT64_MAX: never); a time that has passed: at once. */
uint64_t store_run(struct store *s);

/* -- objects -- */

/* The image of this content id and size (at most 4 PiB), made if it is not known; made room for by
   forgetting the one of which least is cached. NULL: STORE_OBJECTS are there and open. */
struct store_object *store_image(struct store *s, const uint8_t content[STORE_CONTENT_BYTES],
                                 uint64_t size_bytes);
/* The difference `name` of a base image, made if it is not known (durable at the next flush).
   MISMATCH if it is there for another base or size: nothing is mixed. */
enum store_status store_difference(struct store *s, const char *name,
                                   const uint8_t base[STORE_CONTENT_BYTES], uint64_t size_bytes,
                                   struct store_object **object);
/* The blob `name` for reading. size: of its content. NULL: there is none. */
struct store_object *store_blob(struct store *s, const char *name, uint64_t *size);
/* Of the blobs whose names begin so, the one that was put longest ago; *count: of them. NULL: there are
   none. Valid until the store is called again. */
const char *store_oldest_blob(const struct store *s, const char *beginning, uint32_t *count);
/* Ends the use of an object, which stays in the store. No operation on it may be under way. Each
   successful call above is ended by one of these two. */
void store_release(struct store_object *object);
/* The same, and removes it from the store; its room comes back by and by. For a difference or blob
   this is durable at the next flush. */
void store_delete(struct store_object *object);
/* Deletes every difference whose name begins with `prefix` and that nobody has open: what temporary
   ones a crash has left behind. Returns how many. */
uint32_t store_delete_differences(struct store *s, const char *prefix);
/* Bytes of the store that it takes, without metadata. */
uint64_t store_object_bytes(const struct store_object *object);
/* Of differences and blobs: a part of its map was lost to damage of the disk; reads say DAMAGED. */
bool store_is_damaged(const struct store_object *object);

/* -- cached blocks of an image -- */

/* Copies blocks into the store if that can be done now; best effort. data: whole blocks, also where
   the image ends inside the last. Returns how many from the first on were taken. */
uint32_t store_put(struct store_object *image, uint64_t first_block, uint32_t count,
                   const uint8_t *data);
/* The block is not what it should be, as its reader knows: it is not held any more, if that can be done
   now; best effort. */
void store_forget(struct store_object *image, uint64_t block);
/* Every sector of the range is held. A later read may still find damage. Range as in store_op. */
bool store_holds(const struct store_object *object, uint64_t offset, uint64_t length);
/* Some sector of a block that the range touches is held. */
bool store_holds_some(const struct store_object *object, uint64_t offset, uint64_t length);

/* -- operations -- */

enum store_op_type {
    STORE_READ,    /* any object: copies the sectors that are held to data, sets held[] */
    STORE_WRITE,   /* difference */
    STORE_ZERO,    /* difference: reads as zeros; no data is written for whole blocks */
    STORE_DISCARD, /* difference: whole blocks in the range are given back; they then read as the
                      base image, as zeros or, after a power cut before a flush, as before */
    STORE_FLUSH,   /* all writes, zeroes and discards that were done before it, and all changes of
                      objects, survive a power cut */
    STORE_PUT_BLOB /* replaces the blob `name` at once: after a power cut it is the old one or the
                      new one, and when done it is durably the new one */
};

/* Memory of the caller, untouched by it between submit and done. */
struct store_op {
    enum store_op_type type;
    bool is_fua;                 /* of WRITE and ZERO: durable when done */
    struct store_object *object; /* not of FLUSH and PUT_BLOB */
    const char *name;            /* of PUT_BLOB; shorter than STORE_NAME_BYTES */
    uint64_t offset, length;     /* multiples of 512 inside the object; PUT_BLOB: length, any up to
                                    STORE_BLOB_BYTES. Of a blob, READ may go to the next 4096. */
    /* Read until done, or written; may be memory that an untrusted process shares: nothing is
       decided from it. */
    uint8_t *data;
    /* READ: not NULL: where each block of the range goes, in place of data; offset is then a multiple
       of 4096. */
    uint8_t *const *pages;
    /* READ: one byte for each 4 KiB block that the range touches; bit n: sector n of the block is
       in the range and was copied. */
    uint8_t *held;
    /* READ: OK, DAMAGED (a difference or blob), FAILED. Damaged cached blocks are not held any
       more. WRITE and so on: OK, FULL, FAILED, DAMAGED (a part of a block was to be written, and
       the rest of it is damaged), INVALID; a part may have been written. */
    void (*done)(struct store_op *op, enum store_status status);
    void *owner;
    /* -- the store's -- */
    struct list node;
    uint64_t next, end; /* blocks still to be looked at */
    uint64_t slots_target, objects_target;
    uint32_t pieces; /* under way */
    enum store_status status;
    uint8_t step;
    bool is_cancelled;
    struct store_object *blob;
};

void store_submit(struct store *s, struct store_op *op);
/* Of READ, WRITE, ZERO and DISCARD, between submit and done: its data and held are not touched from now on,
   and of a write nothing more is begun; a part may have been written. done() still comes; what it
   says means nothing. */
void store_cancel(struct store_op *op);

/* -- what people ask -- */

struct store_info {
    uint64_t blocks, free_blocks; /* of data */
    uint64_t image_blocks, other_blocks;
    uint64_t put_bytes, written_bytes; /* taken by store_put and STORE_WRITE since open */
    uint64_t device_written_bytes, device_read_bytes, device_flushes;
    uint64_t device_commands, device_answers; /* the difference is with the device now */
    uint64_t open_read_bytes;                 /* read from the device by store_open */
    uint64_t damaged_blocks, io_errors;       /* found since open */
    uint64_t evicted_blocks, dropped_puts;    /* dropped: not taken for want of room */
    uint64_t checkpoints, commits;
    const char *failure; /* not NULL: the store takes no more writes, and why */
};
void store_get_info(const struct store *s, struct store_info *info);

#endif
