// SPDX-License-Identifier: BSD-2-Clause
/* Boot profiles of several clients as one (vdisk/profile/profile.h has the format). Bytes in, bytes out; no database. */
#ifndef LEATD_MERGE_H
#define LEATD_MERGE_H

#include <stddef.h>
#include <stdint.h>

#define MERGE_PARTS 8u /* clients whose last boot counts: as many as a profile tells apart */
#define MERGE_BYTES (1u << 20) /* of a merged profile at most */
#define MERGE_WINDOW_MS 1000u  /* within it, what more clients have needed stands first */

struct merge_part {
    const void *data;
    size_t bytes;
};

/*
 * What a client has sent: its own last boot, with what it knew of others merged into it. Gives that boot alone, as a profile from
 * malloc, and its blocks; NULL with the end of a sentence in *why when it is no profile of an image of that size.
 */
uint8_t *merge_newest(struct merge_part sent, uint64_t image_size, size_t *bytes, uint64_t *blocks,
                      const char **why);

/*
 * One profile of at most MERGE_PARTS boots, the oldest first: in the order of first need, within MERGE_WINDOW_MS by how many have
 * needed it; what fewer than half of them have needed, the newest apart, is left out (profile_merge). From malloc; NULL without
 * memory, without parts, or when one is no profile.
 */
uint8_t *merge_parts(const struct merge_part *parts, unsigned count, size_t *bytes);

#endif
