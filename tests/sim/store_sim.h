// SPDX-License-Identifier: BSD-2-Clause
/*
 * A disk that loses, tears, reorders, rots and fails as vdisk/store/device.h says that a disk may
 * (store_disk.c), for the engine's simulator and for the store's own, whose world is store_world.c.
 */
#ifndef TESTS_STORE_SIM_H
#define TESTS_STORE_SIM_H

#include "tests/sim/sim.h" /* the model of what may be read; sim_fail, sim_tick, sim_random */
#include "vdisk/store/store.h"

struct store_disk_faults { /* chances in 1/100,000 for each command */
    uint32_t read_error, write_error, flush_error, rot_data, rot_meta;
};

struct store_disk {
    uint64_t range_offset, range_bytes, bytes;
    uint32_t sector_bytes;
    uint64_t meta_front, meta_back; /* pages of the range: metadata lie before and from there */
    struct store_disk_faults faults;
    uint64_t slowest_ns;
    /* what has happened */
    uint64_t commands, rots_data, rots_meta, errors, failed_writes;
};
extern struct store_disk store_disk;
extern const struct store_platform store_platform;

void store_world_init(uint64_t seed); /* of the store's own simulator: chance and time */
void store_disk_init(void);           /* store_disk's sizes are set */
void store_disk_end(void);            /* fails if a byte outside the range has changed */
/* Where the metadata of this open store lie, for the faults that are of one kind. */
void store_disk_learn(const struct store *store);
/* The time of the next command's end; UINT64_MAX: none is under way. */
uint64_t store_disk_next(void);
void store_disk_step(void); /* ends that command; time goes on to it */
/* Everything under way is gone; of what was not flushed, anything may be. */
void store_disk_cut(void);

#endif
