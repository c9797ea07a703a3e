// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a block channel to an open store: waits for the disk, opens the store that is there, or makes
 * one where that is allowed. Says each outcome in one line of the log. Portable.
 */
#ifndef VDISK_SERVICE_STORE_START_H
#define VDISK_SERVICE_STORE_START_H

#include "vdisk/service/store_disk.h"
#include "vdisk/store/store.h"

enum store_rule { /* when there is no store in the partition: [store] format of leat.conf */
                  STORE_RULE_EMPTY, /* one is made if the first and the last MiB of the partition are zeros */
                  STORE_RULE_NO,
                  STORE_RULE_YES, /* one is made, whatever is there */
};

enum store_start_state {
    STORE_START_DISK,    /* waits for the disk */
    STORE_START_OPENS,   /* store_open or store_format is under way */
    STORE_START_CHECKS,  /* looks whether the partition is empty */
    STORE_START_OPEN,    /* end: the store can be used */
    STORE_START_NOTHING, /* end: there is none */
};

struct store_start {
    struct store_disk *disk;
    const struct store_platform *platform; /* whose submit is the disk's */
    uint64_t memory_bytes;
    enum store_rule rule;
    enum store_start_state state;
    struct store *store; /* NULL, or created */
    struct store_options options;
    bool has_answer, is_formatting;
    enum store_status answer; /* of store_open or store_format */
    struct store_io io;       /* of the look */
    bool is_reading, is_read_ok;
    uint64_t look_at;
    uint8_t *buffer;
};

/* memory_bytes: what a new store may take of memory; it then uses only a part of the partition, with a
   line in the log. disk, platform: live on. */
void store_start_begin(struct store_start *s, struct store_disk *disk,
                       const struct store_platform *platform, uint64_t memory_bytes,
                       enum store_rule rule);

/* Moves on, after store_disk_run. True: an end is reached, and nothing is to be called any more. In
   OPEN s->store is the caller's. */
bool store_start_run(struct store_start *s);

/* The largest store, in bytes of a disk, that takes at most so much memory. */
uint64_t store_start_use(uint64_t range_bytes, uint64_t memory_bytes);

#endif
