// SPDX-License-Identifier: BSD-2-Clause
/*
 * The allocation map of a difference: pages are read when they are needed, at most MAP_PAGES_KEPT
 * unchanged ones stay in memory. All functions may be called by several threads; diff_map_commit by one
 * at a time.
 */
#ifndef NBDKIT_LEAT_DIFF_MAP_H
#define NBDKIT_LEAT_DIFF_MAP_H

#include <pthread.h>

#include "tools/nbdkit-leat/diff_device.h"
#include "tools/nbdkit-leat/diff_format.h"

#define MAP_PAGES_KEPT 32u /* 128 KiB, which is the map of 2 GiB */
#define MAP_BUCKETS 64u

struct diff_map_page;

struct diff_map {
    struct diff_device device;
    pthread_mutex_t lock;
    uint64_t id, blocks;
    bool was_cut; /* a damaged copy beside a good or an empty one is a write that was cut */
    unsigned kept, dirty;
    struct diff_map_page *buckets[MAP_BUCKETS];
};

void diff_map_init(struct diff_map *map, const struct diff_device *device, uint64_t id,
                   uint64_t blocks, bool was_cut);
void diff_map_free(struct diff_map *map);

/* The state of a block, and how many from it on, up to limit, are known to be in the same: the number
   returned, at least 1. Negative: -errno; -EIO when the page is damaged. */
int64_t diff_map_run(struct diff_map *map, uint64_t block, uint64_t limit, enum diff_state *state);
/* In memory only. When it fails, -errno, the first ones may have been set. */
int diff_map_set(struct diff_map *map, uint64_t block, uint64_t count, enum diff_state state);
unsigned diff_map_dirty(struct diff_map *map);
/* Makes durable what was written to the device and then set in the map before the call: syncs the device,
   writes the pages that have changed, syncs again. After an error nothing is known of either. */
int diff_map_commit(struct diff_map *map);

/* What is in the file, page by page, without the memory's copies. */
struct diff_map_look {
    uint64_t data, zero;    /* blocks */
    uint64_t damaged, cut;  /* pages without a good copy; with one, and a damaged one beside it */
    uint64_t first_damaged; /* number of the first such page */
};
/* With mend, damaged copies beside a good or an empty one are written again, and synced. */
int diff_map_look(struct diff_map *map, bool mend, struct diff_map_look *look);

#endif
