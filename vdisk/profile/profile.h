// SPDX-License-Identifier: BSD-2-Clause
/*
 * A boot profile: which 4 KiB blocks of an image its boots have read, as runs in the order of first
 * need, with the time of it and in which of the last eight boots.
 *
 * In a file (profile_encode), numbers little-endian:
 *    0  8  "LEATPROF"
 *    8  4  version: 1
 *   12  4  number of runs
 *   16  8  size of the image in bytes: a profile is for images of that size only
 *   24  4  boots merged: 1 .. 8, then 8
 *   28  4  0
 *   32  8  check: FNV-1a, 64 bits, of all the file with this field 0
 *   40     runs of 16 bytes: first block (8), blocks (4), needed at (3, ms from the first read; never
 *          falling from run to run), boots that needed it (1, bit 0: the newest)
 * The check finds damage, not malice: nothing that a profile says can do more than cause reads that
 * nobody needed, at most PROFILE_MAX_BLOCKS.
 */
#ifndef VDISK_PROFILE_PROFILE_H
#define VDISK_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_BLOCK_BYTES 4096u
#define PROFILE_MAX_RUNS 65536u
#define PROFILE_MAX_BLOCKS 262144u /* 1 GiB */
#define PROFILE_MAX_MS 0xffffffu
#define PROFILE_BOOTS 8u

struct profile_run {
    uint64_t first;
    uint32_t count;
    uint32_t at_ms;
    uint8_t boots; /* bit i: needed i boots ago; never 0 */
};

struct profile { /* all zero: empty */
    uint64_t size_bytes;
    uint32_t boots; /* merged; 0: empty */
    uint32_t count, room;
    uint64_t blocks; /* of all runs */
    struct profile_run *runs;
};

void profile_free(struct profile *p); /* leaves it empty */
/* Adds a run at the end, or lengthens the last one. False: no memory, or a limit is reached. */
bool profile_add(struct profile *p, uint64_t first, uint32_t count, uint32_t at_ms, uint8_t boots);

/*
 * What is known after one more boot: `boot` in its order; what only older boots have needed stands
 * where they needed it, as long as at least half of the boots remembered did. `old` may be empty or
 * of an image of another size: then it does not count. *merged must be empty. False: no memory;
 * *merged is empty.
 */
bool profile_merge(const struct profile *old, const struct profile *boot, struct profile *merged);

/*
 * The order in which to ask for it: runs that are near each other in time and neighbours on the disk
 * become one, at the place of the earlier. Blocks, count and order apart nothing of it is
 * meaningful. *plan must be empty. False: no memory.
 */
bool profile_plan(const struct profile *p, struct profile *plan);

/* -- file.c -- */
size_t profile_encoded_bytes(const struct profile *p);
void profile_encode(const struct profile *p, uint8_t *data);
/* NULL: *p, which must be empty, is the profile. Else why not, for people; *p is empty. */
const char *profile_decode(const uint8_t *data, size_t size, struct profile *p);

#endif
