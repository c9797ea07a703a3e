// SPDX-License-Identifier: BSD-2-Clause
/* Requests in a split virtqueue: virtio 1.2, 2.7, 5.2.6. The device may write to all of this memory at any time. */
#include "drivers/block/virtio_private.h"

#include <string.h>

#define STATUS_NONE 0xffu /* no device says that: it has not written a status */
#define ID_LIMIT_MS 1000u
#define POLL_US 50u

static struct virtq_desc *descriptors(const struct virtio_blk *v)
{
    return (struct virtq_desc *)(v->dma.va + VIRTIO_DMA_DESC);
}
static struct virtq_avail *avail_ring(const struct virtio_blk *v)
{
    return (struct virtq_avail *)(v->dma.va + VIRTIO_DMA_AVAIL);
}
static struct virtq_used *used_ring(const struct virtio_blk *v)
{
    return (struct virtq_used *)(v->dma.va + VIRTIO_DMA_USED);
}

void virtio_queue_clear(struct virtio_blk *v)
{
    memset(v->dma.va, 0, VIRTIO_DMA_BYTES);
    v->avail_index = v->used_index = 0;
}

/* -- building -- */

struct chain {
    struct virtio_blk *v;
    unsigned slot, length;
};

static void chain_add(struct chain *chain, uint64_t hpa, uint32_t length, bool device_writes)
{
    unsigned at = chain->slot * virtio_chain_length(chain->v) + chain->length;
    struct virtq_desc *desc = &descriptors(chain->v)[at];

    desc->hpa = hpa;
    desc->length = length;
    desc->flags = device_writes ? VIRTQ_DEVICE_WRITES : 0;
    desc->next = 0;
    if (chain->length++) {
        desc[-1].flags |= VIRTQ_NEXT;
        desc[-1].next = (uint16_t)at;
    }
}

static uint64_t slot_hpa(const struct virtio_blk *v, unsigned slot, size_t field)
{
    return v->dma.hpa + VIRTIO_DMA_SLOTS + slot * sizeof(struct virtio_slot) + field;
}

static struct chain begin(struct virtio_blk *v, unsigned slot, uint32_t type, uint64_t sector)
{
    struct chain chain = {v, slot, 0};

    memset(virtio_slot(v, slot), 0, sizeof(struct virtio_slot));
    virtio_slot(v, slot)->head = (struct virtio_blk_head){.type = type, .sector = sector};
    virtio_slot(v, slot)->status = STATUS_NONE;
    chain_add(&chain, slot_hpa(v, slot, offsetof(struct virtio_slot, head)),
              sizeof(struct virtio_blk_head), false);
    return chain;
}

/* The chain is whole; the device sees it at show(). */
static void end(struct chain *chain)
{
    struct virtio_blk *v = chain->v;

    chain_add(chain, slot_hpa(v, chain->slot, offsetof(struct virtio_slot, status)), 1, true);
    avail_ring(v)->ring[v->avail_index++ % v->entries] =
        (uint16_t)(chain->slot * virtio_chain_length(v));
}

/* 2.7.13: the index after the entries; the device's wish for no notification is looked at after the index. */
static void show(struct virtio_blk *v)
{
    __atomic_store_n(&avail_ring(v)->index, v->avail_index, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!(__atomic_load_n(&used_ring(v)->flags, __ATOMIC_RELAXED) & VIRTQ_NO_NOTIFY))
        block_write(&v->platform, v->place[VIRTIO_PLACE_NOTIFY].region, v->notify_offset, 2, 0);
}

static void add_data(struct chain *chain, const struct block_command *command, uint32_t bytes)
{
    uint32_t most = chain->v->segment_bytes;

    for (uint32_t done = 0; done < bytes; done += most)
        chain_add(chain, command->data_hpa + done, bytes - done < most ? bytes - done : most,
                  command->op == BLOCK_READ);
}

static void send(struct virtio_blk *v, unsigned slot, const struct block_command *command)
{
    static const uint8_t types[] = {
        [BLOCK_READ] = VIRTIO_BLK_IN,
        [BLOCK_WRITE] = VIRTIO_BLK_OUT,
        [BLOCK_FLUSH] = VIRTIO_BLK_DO_FLUSH,
        [BLOCK_DISCARD] = VIRTIO_BLK_DO_DISCARD,
    };
    bool is_flush = block_work_is_flush(command);
    bool has_data = !is_flush && command->op != BLOCK_DISCARD;
    uint32_t units = v->info.sector_bytes / VIRTIO_BLK_UNIT;
    struct chain chain = begin(v, slot, types[is_flush ? BLOCK_FLUSH : command->op],
                               has_data ? command->lba * units : 0);

    if (has_data) {
        add_data(&chain, command, command->sectors * v->info.sector_bytes);
    } else if (!is_flush) {
        virtio_slot(v, slot)->piece = (struct virtio_blk_piece){
            .sector = command->lba * units, .sectors = command->sectors * units};
        chain_add(&chain, slot_hpa(v, slot, offsetof(struct virtio_slot, piece)),
                  sizeof(struct virtio_blk_piece), false);
    }
    end(&chain);
}

void virtio_queue_pump(struct virtio_blk *v)
{
    uint64_t now_ns = block_now(&v->platform);
    unsigned sent = 0;
    int slot;

    if (v->state != VIRTIO_RUNNING)
        return;
    block_work_wake(&v->work, now_ns);
    while ((slot = block_work_take(&v->work, now_ns)) >= 0) {
        struct block_command *command = v->work.slot[slot];
        if (block_work_is_flush(command) && !(v->features & VIRTIO_BLK_FLUSH)) {
            block_work_end(&v->work, block_work_release(&v->work, (unsigned)slot), true);
            continue;
        }
        send(v, (unsigned)slot, command);
        sent++;
    }
    if (sent)
        show(v);
}

/* -- completions -- */

static void succeeded(struct virtio_blk *v, struct block_command *command)
{
    v->resets_in_row = 0;
    if (command->op == BLOCK_WRITE && command->fua && v->info.has_write_cache &&
        !(command->phase & BLOCK_PHASE_FLUSH)) {
        command->phase |= BLOCK_PHASE_FLUSH;
        block_queue_push_front(&v->work.waiting, command);
        return;
    }
    block_work_end(&v->work, command, true);
}

static void failed(struct virtio_blk *v, struct block_command *command, uint8_t status)
{
    static const char *const names[] = {"read", "write", "flush", "discard"};
    uint64_t now_ns = block_now(&v->platform);

    if (block_work_may_log(&v->work, now_ns))
        block_logf(&v->platform, VIRTIO_NAME, "disk 0: %s of %u sectors at %llu: status %u",
                   names[command->op], command->sectors, (unsigned long long)command->lba, status);
    if (status == VIRTIO_BLK_UNSUPP)
        block_work_end(&v->work, command, false);
    else
        block_work_repeat(&v->work, command, now_ns);
}

/* 2.7.8.2: a read that went well has written all data and the status; less would leave old bytes in the buffer. */
static bool is_whole(const struct virtio_blk *v, const struct block_command *command,
                     uint32_t length)
{
    return command->op != BLOCK_READ || length > command->sectors * v->info.sector_bytes;
}

/* False: there is no such command. */
static bool complete(struct virtio_blk *v, uint32_t id, uint32_t length)
{
    uint32_t slot = id / virtio_chain_length(v);

    if (id % virtio_chain_length(v) || slot >= v->work.slots || !(v->work.busy & 1ull << slot))
        return false;
    struct block_command *command = block_work_release(&v->work, slot);
    uint8_t status = __atomic_load_n(&virtio_slot(v, slot)->status, __ATOMIC_RELAXED);
    if (status == VIRTIO_BLK_OK && !is_whole(v, command, length))
        status = STATUS_NONE;
    v->work.counters.refused += status > VIRTIO_BLK_UNSUPP;
    if (status == VIRTIO_BLK_OK)
        succeeded(v, command);
    else
        failed(v, command, status);
    return true;
}

static struct virtq_used_element next_used(struct virtio_blk *v)
{
    const volatile struct virtq_used_element *element =
        &used_ring(v)->ring[v->used_index++ % v->entries];
    struct virtq_used_element copy = {.id = element->id, .length = element->length};

    return copy;
}

int virtio_queue_poll(struct virtio_blk *v)
{
    uint16_t index = __atomic_load_n(&used_ring(v)->index, __ATOMIC_ACQUIRE);
    int count = (uint16_t)(index - v->used_index);

    if (count > block_work_busy(&v->work)) {
        v->work.counters.refused++;
        return -1;
    }
    for (int i = 0; i < count; i++) {
        struct virtq_used_element element = next_used(v);
        if (!complete(v, element.id, element.length)) {
            v->work.counters.refused++;
            return -1;
        }
    }
    return count;
}

bool virtio_queue_get_id(struct virtio_blk *v, uint8_t id[VIRTIO_BLK_ID_LENGTH])
{
    uint64_t limit_ns = block_now(&v->platform) + ID_LIMIT_MS * BLOCK_NS_PER_MS;
    struct chain chain = begin(v, 0, VIRTIO_BLK_GET_ID, 0);

    memset(id, 0, VIRTIO_BLK_ID_LENGTH);
    chain_add(&chain, slot_hpa(v, 0, offsetof(struct virtio_slot, id)), VIRTIO_BLK_ID_LENGTH, true);
    end(&chain);
    show(v);
    while (__atomic_load_n(&used_ring(v)->index, __ATOMIC_ACQUIRE) == v->used_index) {
        if (block_now(&v->platform) >= limit_ns)
            return false;
        block_delay(&v->platform, POLL_US);
    }
    (void)next_used(v);
    if (virtio_slot(v, 0)->status == VIRTIO_BLK_OK)
        memcpy(id, virtio_slot(v, 0)->id, VIRTIO_BLK_ID_LENGTH);
    return true;
}
