// SPDX-License-Identifier: BSD-2-Clause
/*
 * The overlay of a disk in mode `ram`: what the guest has written, in memory. A two-level table
 * over 4 KiB pages; each page knows which of its 512-byte sectors it holds, so that a small write
 * needs nothing from the server.
 */
#ifndef VDISK_OVERLAY_H
#define VDISK_OVERLAY_H

#include <stdbool.h>
#include <stdint.h>

#define OVERLAY_PAGE_BYTES 4096u
#define OVERLAY_SECTOR_BYTES 512u

struct overlay_leaf;

struct overlay {
    uint64_t bound_bytes, used_bytes; /* pages and leaves */
    uint64_t leaf_count;
    struct overlay_leaf **leaves;
};

/* Offsets and lengths everywhere: multiples of 512 inside [0, size_bytes). False: no memory. */
bool overlay_init(struct overlay *o, uint64_t size_bytes, uint64_t bound_bytes);
void overlay_free(struct overlay *o);

/* False: the bound (or memory) is reached; a part may have been written. */
bool overlay_write(struct overlay *o, uint64_t offset, uint64_t length, const uint8_t *data);
bool overlay_zero(struct overlay *o, uint64_t offset, uint64_t length);
/* Forgets pages that lie entirely in the range: the disk below shows again. */
void overlay_discard(struct overlay *o, uint64_t offset, uint64_t length);

/* True if the overlay holds every sector of the range. */
bool overlay_covers(const struct overlay *o, uint64_t offset, uint64_t length);
/* Copies the sectors that the overlay holds over `data`; returns how many bytes. */
uint64_t overlay_read(const struct overlay *o, uint64_t offset, uint64_t length, uint8_t *data);

#endif
