// SPDX-License-Identifier: BSD-2-Clause
/* Is what a server offers good enough, at first and after each reconnect? */
#include <stdio.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define SECTOR_BYTES 512u

/* What a server must go on offering once it has. */
#define FLAGS_KEPT                                                                                 \
    (NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES)

uint64_t offer_size(const struct vdisk_export *e, uint64_t size_bytes)
{
    uint32_t unit = e->identity.min_block > e->block_size ? e->identity.min_block : e->block_size;
    uint64_t size = size_bytes - size_bytes % unit, root = verify_size(e, unit);
    /* What no hash covers is not there. */
    return root && size > root ? root : size;
}

/* Does anything of the server's offers for writing matter? */
static bool has_writer(const struct vdisk_export *e)
{
    for (const struct list *n = e->disks.next; n != &e->disks; n = n->next)
        if (disk_is_writer(LIST_ENTRY(n, struct vdisk_disk, node)))
            return true;
    return !wlog_is_drained(e);
}

const char *offer_judge_first(struct vdisk_export *e, const struct nbd_export *x)
{
    e->identity = *x;
    e->block_size = x->min_block > SECTOR_BYTES ? CACHE_BLOCK_BYTES : SECTOR_BYTES;
    e->identity.size_bytes = offer_size(e, x->size_bytes);
    if (e->identity.size_bytes == 0)
        return "the export is empty";
    uint64_t root = verify_size(e, x->min_block);
    if (root && e->identity.size_bytes < root)
        return "it is smaller than the root hash says";
    if (root % x->min_block)
        return "the server's smallest request does not fit the size that the root hash says";
    if (e->identity.size_bytes != x->size_bytes && !verify_is_tree(e))
        link_say(e, "the size is no multiple of the block size: the end is cut off", "");
    e->was_up = true;
    if (!verify_is_tree(e))
        extents_init(e);
    layers_init(e);
    return NULL;
}

/* May the unit of requests become larger? Reads are of whole blocks of the cache, and stretched to whole units; those that
 * are held until a hash has been seen are not. */
static bool may_grow(const struct vdisk_export *e, uint32_t unit)
{
    return !has_writer(e) && e->identity.size_bytes % unit == 0 &&
           (unit <= CACHE_BLOCK_BYTES || !e->verify);
}

static const char *judge_unit(struct vdisk_export *e, const struct nbd_export *x,
                              char text[OFFER_TEXT])
{
    uint32_t old = e->identity.min_block;
    if (x->min_block <= old)
        return NULL;
    if (!may_grow(e, x->min_block)) {
        snprintf(text, OFFER_TEXT,
                 "the server wants requests of at least %u bytes, and the disk has begun with %u: "
                 "detach the disk to use this server",
                 (unsigned)x->min_block, (unsigned)old);
        return text;
    }
    e->identity.min_block = x->min_block;
    if (x->min_block > CACHE_BLOCK_BYTES) {
        e->identity.max_block = x->max_block; /* nothing is left that was made for another */
        fetch_anew(e);
    }
    return NULL;
}

const char *offer_judge_again(struct vdisk_export *e, const struct nbd_export *x,
                              char text[OFFER_TEXT])
{
    uint32_t missing = has_writer(e) ? e->identity.flags & ~x->flags & FLAGS_KEPT : 0;
    uint32_t gained = has_writer(e) ? x->flags & ~e->identity.flags & NBD_FLAG_READ_ONLY : 0;
    if (gained)
        return "the export has become read-only";
    if (missing)
        return "the server no longer offers what it did (flush, FUA, trim or write zeroes)";
    bool is_smaller = x->max_block < e->identity.max_block;
    if (is_smaller && x->max_block < FETCH_BLOCKS * CACHE_BLOCK_BYTES)
        return "the server's largest request is smaller than before";
    const char *objection = judge_unit(e, x, text);
    if (!objection && is_smaller) /* no read that is waiting is longer */
        e->identity.max_block = x->max_block - x->max_block % e->identity.min_block;
    return objection;
}
