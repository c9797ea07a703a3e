// SPDX-License-Identifier: BSD-2-Clause
/* The map of holes as bytes, to be kept where it is known without the server. */
#include "vdisk/bytes.h"
#include "vdisk/engine.h"

#define HEADER_BYTES 4u /* u32 runs */
#define RUN_BYTES 8u    /* u32 first block, u32 blocks */

/* The end of the run of blocks from `from` on that are all zeros, or all not known to be. */
static uint64_t run_end(const struct extents *x, uint64_t from)
{
    bool is_zero = extents_is_zero(x, from);
    uint64_t at = from;
    while (at < x->zeros.block_count && extents_is_zero(x, at) == is_zero) {
        uint64_t end = (at / BLOCKMAP_REGION_BLOCKS + 1) * BLOCKMAP_REGION_BLOCKS;
        at = blockmap_is_plain(&x->zeros, at) ? end : at + 1;
    }
    return at < x->zeros.block_count ? at : x->zeros.block_count;
}

size_t extents_encode(const struct vdisk_export *e, uint8_t *data, size_t most)
{
    const struct extents *x = &e->extents;
    uint32_t runs = 0;
    for (uint64_t at = 0; at < x->zeros.block_count;) {
        uint64_t end = run_end(x, at);
        if (HEADER_BYTES + (runs + 1ull) * RUN_BYTES > most)
            break; /* what does not fit counts as data */
        if (extents_is_zero(x, at)) {
            uint8_t *run = data + HEADER_BYTES + (size_t)runs++ * RUN_BYTES;
            bytes_put(run, at, 4);
            bytes_put(run + 4, end - at > UINT32_MAX ? UINT32_MAX : end - at, 4);
        }
        at = end;
    }
    bytes_put(data, runs, 4);
    return HEADER_BYTES + (size_t)runs * RUN_BYTES;
}

bool extents_decode(struct vdisk_export *e, const uint8_t *data, size_t size)
{
    struct extents *x = &e->extents;
    if (size < HEADER_BYTES)
        return false;
    uint64_t runs = bytes_get(data, 4), after = 0;
    if (runs * RUN_BYTES != size - HEADER_BYTES)
        return false;
    for (uint64_t i = 0; i < runs; i++) {
        const uint8_t *run = data + HEADER_BYTES + i * RUN_BYTES;
        uint64_t first = bytes_get(run, 4), count = bytes_get(run + 4, 4);
        if (first < after || first + count > x->zeros.block_count)
            return false;
        after = first + count;
        extents_mark_zero(x, first, after);
    }
    return true;
}
