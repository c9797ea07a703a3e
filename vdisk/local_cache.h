// SPDX-License-Identifier: BSD-2-Clause
/*
 * The local disk as a cache below the RAM cache: blocks of an image with a content id are put into
 * the store (store/store.h) when they have come from the server, and read from there instead of from
 * the server, after a reboot too.
 *
 * Not of an image that a disk of this engine writes to, or has written to. A block that the store
 * cannot give back comes from the server. A store that has failed or is full is no error for anybody:
 * what it does not take is not kept.
 */
#ifndef VDISK_LOCAL_CACHE_H
#define VDISK_LOCAL_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#define LOCAL_FETCHES 32u /* of an export at the store at a time; those of the server are others */
#define LOCAL_AHEAD 2u    /* of these, that nobody waits for */
#define LOCAL_PUT_BLOCKS 16u

struct fetch;
struct store_object;
struct vdisk;
struct vdisk_export;

struct local_cache {            /* of an export */
    struct store_object *image; /* NULL: not in use */
    bool has_tried;             /* to have the image, since the store or the export came */
    bool is_off;                /* the store could not give back what it says it holds */
    uint32_t refused_in_row;
    uint32_t reading, ahead;  /* fetches at the store; those that began with nobody waiting */
    uint64_t requests, bytes; /* read from the store */
    uint64_t refused;         /* fetches that the store could not serve: they went to the server */
    uint64_t kept_bytes;      /* given to the store */
};

/* Slots of the RAM cache whose blocks are still to be put into the store, oldest first: a ring. */
struct local_queue {
    uint32_t *slots;
    uint32_t first, count, room;
    /* For so long the store has taken nothing, though its device answers; until looked_ns, when that had
       given so many answers. */
    uint64_t stuck_ns, looked_ns, answers;
    bool said_full;  /* and no room has been seen since */
    uint8_t *buffer; /* LOCAL_PUT_BLOCKS blocks */
};

/* False: no memory. */
bool local_queue_init(struct vdisk *v);
void local_queue_free(struct vdisk *v);

/* Opens the export's image in the store once its size is known; cheap if there is nothing to do. */
void local_begin(struct vdisk_export *e);
/* The store is used no more: what is under way there goes to the server. is_dead: it must not be
   called any more. */
void local_end(struct vdisk_export *e, bool is_dead);
/* Fetches are under way at the store, which will write to their blocks: the export must stay. */
static inline bool local_is_busy(const struct local_cache *l)
{
    return l->reading != 0;
}

/* The store holds all of these blocks, as far as the image goes. */
bool local_holds(const struct vdisk_export *e, uint64_t block, uint32_t count);
/* Begins to read a fetch from the store. It ends by fetch_arrived, or by fetch_from_server. */
void local_read(struct vdisk_export *e, struct fetch *f);
/* The store has given a block that does not match the root hash. */
void local_forget(struct vdisk_export *e, uint64_t block);
/* A block has come from the server and is good: it is put into the store by and by. */
void local_keep(struct vdisk_export *e, uint32_t slot);
/* So much waits to be put there that what nobody waits for should not be fetched now. */
bool local_is_behind(const struct vdisk_export *e);
/* The store has room for more of the image that nobody has asked for. */
bool local_has_room(const struct vdisk_export *e);
/* What has been put, and what still waits, is to become durable; done when local_is_pending says no. */
void local_drain(struct vdisk *v);
bool local_is_pending(const struct vdisk *v);
/* Puts what waits into the store. Returns when it wants to be called again. */
uint64_t local_run(struct vdisk *v);

#endif
