// SPDX-License-Identifier: BSD-2-Clause
/*
 * What lies in which slot: one entry for each 4 KiB of data, found by object and block through a
 * hash table. No I/O and no allocation after table_init; 16 bytes a slot, 2 to 4 for the buckets.
 *
 * A slot's content never changes while it is mapped: new data go to another slot. Its life:
 *
 *   FREE -> WRITING -> NEW -> SENT -> LIVE -> DEAD -> DEAD_SENT -> LIMBO -> FREE
 *
 * NEW, SENT and LIVE are found by lookups. A journal page says so while it is SENT, and of a slot
 * that is DEAD_SENT; so the disk's metadata hold a mapping for LIVE, DEAD and DEAD_SENT, and none
 * for the others, whatever a power cut does. What is unmapped before its mapping was written is
 * STILLBORN; while that is being written, DEAD_EARLY, then DEAD. BAD slots could not be read or
 * written, and are left alone until the store is opened again.
 */
#ifndef VDISK_STORE_TABLE_H
#define VDISK_STORE_TABLE_H

#include "vdisk/store/format.h"

#define SLOT_NONE UINT32_MAX
#define TABLE_GROUP_BLOCKS 512u /* of a group of zeros */

enum slot_state {
    SLOT_FREE,
    SLOT_WRITING,
    SLOT_NEW,
    SLOT_SENT,
    SLOT_LIVE,
    SLOT_STILLBORN,
    SLOT_DEAD_EARLY,
    SLOT_DEAD,
    SLOT_DEAD_SENT,
    SLOT_LIMBO,
    SLOT_BAD,
    SLOT_STATES
};

struct slot {
    uint64_t block : 40, object : 7, is_bad : 1, mask : 8, is_zero : 1, is_group : 1, state : 4,
        uses : 2;
    uint32_t crc;
    uint32_t next; /* in the hash chain, while mapped */
};

struct table {
    uint32_t count, mask;
    uint32_t next; /* where the search for free slots goes on */
    uint32_t hand; /* of the CLOCK that evicts */
    uint64_t seed; /* of the hash */
    struct slot *slots;
    uint32_t *buckets;
    uint64_t *free_bits;
    uint32_t in_state[SLOT_STATES];
    uint32_t held[STORE_OBJECTS];   /* slots of an object in any state but FREE and BAD */
    uint32_t mapped[STORE_OBJECTS]; /* of these, those that lookups find */
};

uint64_t table_ram_bytes(uint32_t count);
bool table_init(struct table *t, uint32_t count, uint64_t seed); /* false: no memory */
void table_free(struct table *t);

static inline bool slot_is_mapped(const struct slot *s)
{
    return s->state == SLOT_NEW || s->state == SLOT_SENT || s->state == SLOT_LIVE;
}
/* The disk's metadata hold it as a mapping. */
static inline bool slot_is_on_disk(const struct slot *s)
{
    return s->state == SLOT_LIVE || s->state == SLOT_DEAD || s->state == SLOT_DEAD_SENT;
}
struct format_key slot_key(const struct slot *s);

/* The slot mapped for the object's block (or group); SLOT_NONE. */
uint32_t table_find(const struct table *t, unsigned object, uint64_t block, bool is_group);
/* FREE to WRITING, for the object; if it can be, the slot behind `after`. SLOT_NONE: none. */
uint32_t table_take(struct table *t, unsigned object, uint32_t after);
/* WRITING (or FREE, at start) to `state`, which is NEW or LIVE. The key must not be mapped. */
void table_map(struct table *t, uint32_t index, const struct format_key *key, uint32_t crc,
               enum slot_state state);
/* Takes a mapped slot out of the lookups; its state becomes `state`. */
void table_unmap(struct table *t, uint32_t index, enum slot_state state);
/* Between states of which both or neither are mapped. */
void table_set_state(struct table *t, uint32_t index, enum slot_state state);
/* To FREE, or BAD if the slot is marked so. */
void table_release(struct table *t, uint32_t index);

#endif
