// SPDX-License-Identifier: BSD-2-Clause
/* What a block request means: virtio 1.2, 5.2.6. */
#include "vmm/virtio/blk_request.h"

#include <string.h>

/* Copies the first bytes of the chain's readable part, once. */
static void read_chain(const struct vq_chain *chain, uint64_t skip, void *to, size_t length)
{
    uint8_t *out = to;
    for (unsigned i = 0; length && i < chain->readable; i++) {
        const struct vq_segment *s = &chain->segments[i];
        if (skip >= s->length) {
            skip -= s->length;
            continue;
        }
        size_t n = s->length - skip < length ? (size_t)(s->length - skip) : length;
        memcpy(out, s->host + skip, n);
        out += n;
        length -= n;
        skip = 0;
    }
    __asm__ volatile("" : : "r"(to) : "memory"); /* no second look at guest memory */
}

static void write_chain(const struct vq_chain *chain, const void *from, size_t length)
{
    const uint8_t *in = from;
    for (unsigned i = chain->readable; length; i++) {
        const struct vq_segment *s = &chain->segments[i];
        size_t n = s->length < length ? s->length : length;
        memcpy(s->host, in, n);
        in += n;
        length -= n;
    }
}

/* Is [sector, sector + length) whole blocks inside the disk? */
static bool is_on_disk(const struct virtio_blk *blk, uint64_t sector, uint64_t length)
{
    uint64_t capacity = blk->size_bytes / VIRTIO_BLK_SECTOR;
    if (sector > capacity || length / VIRTIO_BLK_SECTOR > capacity - sector)
        return false;
    return ((sector * VIRTIO_BLK_SECTOR) | length) % blk->block_size == 0;
}

/* virtio 1.2, 5.2.6.2: whether a write must be durable when it completes. */
static bool is_write_through(const struct virtio_blk *blk)
{
    if (blk->device.features & BLK_F_CONFIG_WCE)
        return !blk->config[BLK_CONFIG_WRITEBACK];
    return !(blk->device.features & BLK_F_FLUSH);
}

static void add_durability(struct virtio_blk_slot *slot)
{
    const struct virtio_blk *blk = slot->blk;
    if (!is_write_through(blk))
        return;
    if (blk->channel_features & LEAT_BLK_CAN_FUA)
        slot->io.flags |= LEAT_BLK_FUA;
    else if (blk->channel_features & LEAT_BLK_CAN_FLUSH)
        slot->flush_after = true;
}

static void send(struct virtio_blk_slot *slot, enum leat_blk_op op, uint64_t sector,
                 uint64_t length)
{
    slot->io.op = op;
    slot->io.offset = sector * VIRTIO_BLK_SECTOR;
    slot->io.length = length;
    blk_client_submit(slot->blk->client, &slot->io);
}

/* -- discard and write zeroes: one channel request a range, one after the other -- */

static bool send_range(struct virtio_blk_slot *slot)
{
    while (slot->range < slot->range_count) {
        const struct virtio_blk_range *range = &slot->ranges[slot->range++];
        if (!range->sectors)
            continue;
        bool is_zeroes = slot->type == BLK_T_WRITE_ZEROES;
        slot->io.flags &= ~(uint32_t)LEAT_BLK_NO_HOLE;
        if (is_zeroes && !(range->flags & BLK_RANGE_UNMAP))
            slot->io.flags |= LEAT_BLK_NO_HOLE;
        send(slot, is_zeroes ? LEAT_BLK_WRITE_ZEROES : LEAT_BLK_DISCARD, range->sector,
             (uint64_t)range->sectors * VIRTIO_BLK_SECTOR);
        return true;
    }
    return false;
}

static void done(struct blk_client_request *io, int error)
{
    struct virtio_blk_slot *slot =
        (struct virtio_blk_slot *)((char *)io - offsetof(struct virtio_blk_slot, io));
    if (!error && !slot->is_stale) {
        if (send_range(slot))
            return;
        if (slot->flush_after) {
            slot->flush_after = false;
            slot->io.flags = 0;
            send(slot, LEAT_BLK_FLUSH, 0, 0);
            return;
        }
    }
    virtio_blk_finish(slot, error ? BLK_S_IOERR : BLK_S_OK);
}

static enum virtio_blk_status check_ranges(const struct virtio_blk_slot *slot)
{
    uint32_t allowed = slot->type == BLK_T_WRITE_ZEROES ? BLK_RANGE_UNMAP : 0;
    for (unsigned i = 0; i < slot->range_count; i++) {
        const struct virtio_blk_range *range = &slot->ranges[i];
        if (range->flags & ~allowed)
            return BLK_S_UNSUPP;
        if (range->sectors > VIRTIO_BLK_RANGE_SECTORS ||
            !is_on_disk(slot->blk, range->sector, (uint64_t)range->sectors * VIRTIO_BLK_SECTOR))
            return BLK_S_IOERR;
    }
    return BLK_S_OK;
}

static void start_ranges(struct virtio_blk_slot *slot, uint32_t feature)
{
    uint64_t bytes = slot->chain.readable_bytes - sizeof(struct virtio_blk_header);
    if (!(slot->blk->device.features & feature)) {
        virtio_blk_finish(slot, BLK_S_UNSUPP);
        return;
    }
    if (!bytes || bytes % sizeof(struct virtio_blk_range) || bytes > sizeof(slot->ranges)) {
        virtio_blk_finish(slot, BLK_S_IOERR);
        return;
    }
    read_chain(&slot->chain, sizeof(struct virtio_blk_header), slot->ranges, (size_t)bytes);
    slot->range_count = (unsigned)(bytes / sizeof(struct virtio_blk_range));
    enum virtio_blk_status status = check_ranges(slot);
    if (status == BLK_S_OK && feature == BLK_F_WRITE_ZEROES)
        add_durability(slot);
    if (status != BLK_S_OK || !send_range(slot))
        virtio_blk_finish(slot, status);
}

/* -- the others -- */

static void start_read(struct virtio_blk_slot *slot, uint64_t sector)
{
    uint64_t length = slot->chain.writable_bytes - 1; /* the last byte is the status */
    if (!is_on_disk(slot->blk, sector, length)) {
        virtio_blk_finish(slot, BLK_S_IOERR);
        return;
    }
    slot->written = (uint32_t)length + 1;
    slot->io.segments = slot->chain.segments + slot->chain.readable;
    if (length)
        send(slot, LEAT_BLK_READ, sector, length);
    else
        virtio_blk_finish(slot, BLK_S_OK);
}

static void start_write(struct virtio_blk_slot *slot, uint64_t sector)
{
    uint64_t length = slot->chain.readable_bytes - sizeof(struct virtio_blk_header);
    if ((slot->blk->channel_features & LEAT_BLK_READ_ONLY) ||
        !is_on_disk(slot->blk, sector, length)) {
        virtio_blk_finish(slot, BLK_S_IOERR);
        return;
    }
    slot->io.segments = slot->chain.segments;
    slot->io.skip = sizeof(struct virtio_blk_header);
    add_durability(slot);
    if (length)
        send(slot, LEAT_BLK_WRITE, sector, length);
    else
        virtio_blk_finish(slot, BLK_S_OK);
}

static void start_flush(struct virtio_blk_slot *slot)
{
    if (slot->blk->channel_features & LEAT_BLK_CAN_FLUSH)
        send(slot, LEAT_BLK_FLUSH, 0, 0);
    else
        virtio_blk_finish(slot, BLK_S_UNSUPP);
}

static void start_get_id(struct virtio_blk_slot *slot)
{
    uint64_t room = slot->chain.writable_bytes - 1;
    size_t length = room < VIRTIO_BLK_ID_BYTES ? (size_t)room : VIRTIO_BLK_ID_BYTES;
    write_chain(&slot->chain, slot->blk->id, length);
    slot->written = (uint32_t)length + 1;
    virtio_blk_finish(slot, BLK_S_OK);
}

bool virtio_blk_start(struct virtio_blk_slot *slot)
{
    const struct vq_chain *chain = &slot->chain;
    struct virtio_blk_header header;
    if (chain->readable_bytes < sizeof(header) || !chain->writable_bytes)
        return false;
    const struct vq_segment *last = &chain->segments[chain->readable + chain->writable - 1];
    slot->status = last->host + last->length - 1;
    read_chain(chain, 0, &header, sizeof(header));
    slot->type = header.type;
    slot->written = 1;
    slot->flush_after = false;
    slot->range = slot->range_count = 0;
    slot->io.flags = 0;
    slot->io.skip = 0;
    slot->io.done = done;
    switch (header.type) {
    case BLK_T_IN:
        start_read(slot, header.sector);
        break;
    case BLK_T_OUT:
        start_write(slot, header.sector);
        break;
    case BLK_T_FLUSH:
        start_flush(slot);
        break;
    case BLK_T_GET_ID:
        start_get_id(slot);
        break;
    case BLK_T_DISCARD:
        start_ranges(slot, BLK_F_DISCARD);
        break;
    case BLK_T_WRITE_ZEROES:
        start_ranges(slot, BLK_F_WRITE_ZEROES);
        break;
    default:
        virtio_blk_finish(slot, BLK_S_UNSUPP);
    }
    return true;
}
