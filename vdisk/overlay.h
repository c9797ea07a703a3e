// SPDX-License-Identifier: BSD-2-Clause
/*
 * The overlay of a disk in mode `ram`: what the guest has written, in memory. A two-level table
 * over 4 KiB pages; each page knows which of its 512-byte sectors it holds, so that a small write
 * needs nothing from the server. Pages can leave it for the local store (spill.h), and what the overlay
 * holds hides what lies there.
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
    uint64_t hand; /* of overlay_leave: the next page to look at */
    struct overlay_leaf **leaves;
};

/* Offsets and lengths everywhere: multiples of 512 inside [0, size_bytes). False: no memory. */
bool overlay_init(struct overlay *o, uint64_t size_bytes, uint64_t bound_bytes);
void overlay_free(struct overlay *o);

/* Bytes from the start of the range that were taken: less than length when the bound (or memory) is
   reached. */
uint64_t overlay_write(struct overlay *o, uint64_t offset, uint64_t length, const uint8_t *data);
uint64_t overlay_zero(struct overlay *o, uint64_t offset, uint64_t length);
/* Forgets pages that lie entirely in the range: the disk below shows again. has_below: they become
   zeros, which need no memory, since an older content of theirs may lie elsewhere. */
void overlay_discard(struct overlay *o, uint64_t offset, uint64_t length, bool has_below);

/* True if the overlay holds every sector of the range. */
bool overlay_covers(const struct overlay *o, uint64_t offset, uint64_t length);
/* Copies the sectors that the overlay holds over `data`; returns how many bytes. */
uint64_t overlay_read(const struct overlay *o, uint64_t offset, uint64_t length, uint8_t *data);

/* A page that is to leave: it stays, and may be read and changed, until overlay_left. */
struct overlay_page {
    uint64_t number;
    uint8_t *data; /* changes when the guest writes to it */
    uint8_t held;  /* its sectors */
};
/* The next page in turn that nobody has written to since the last turn. False: none. */
bool overlay_leave(struct overlay *o, struct overlay_page *page);
/* is_stored: `held` of its data lie elsewhere now, and its memory can be given back, if it has not
   changed meanwhile. */
void overlay_left(struct overlay *o, const struct overlay_page *page, bool is_stored);
/* The page's memory is still the overlay's; false: it is the caller's alone (it was dropped). */
bool overlay_owns(const struct overlay *o, const struct overlay_page *page);

#endif
