// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/virtqueue.h"

#include <string.h>
#include "lib/assert.h"

/* virtio 1.2, 2.7.5: struct virtq_desc */
struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
enum descriptor_flag { FLAG_NEXT = 1, FLAG_WRITE = 2, FLAG_INDIRECT = 4 };
#define DESCRIPTOR_BYTES 16u

/* virtio 1.2, 2.7.6 and 2.7.8: both rings begin with flags and index */
#define RING_FLAGS 0u
#define RING_INDEX 2u
#define RING_ENTRIES 4u
#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY 1u
#define USED_ELEMENT_BYTES 8u

static uint16_t load16(const uint8_t *from)
{
    return __atomic_load_n((const uint16_t *)(const void *)from, __ATOMIC_RELAXED);
}

static void store16(uint8_t *to, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)to, value, __ATOMIC_RELAXED);
}

/* One read of a descriptor: the barrier keeps the compiler from looking at guest memory again. */
static struct descriptor load_descriptor(const uint8_t *table, uint32_t index)
{
    struct descriptor copy;
    memcpy(&copy, table + (size_t)index * DESCRIPTOR_BYTES, sizeof(copy));
    __asm__ volatile("" : "+m"(copy));
    return copy;
}

void vq_reset(struct virtqueue *vq, const struct guest_memory *memory, uint16_t max_size)
{
    LEAT_ASSERT(max_size && max_size <= VQ_MAX_SIZE && (max_size & (max_size - 1)) == 0);
    *vq = (struct virtqueue){.memory = memory, .max_size = max_size, .size = max_size};
}

static int broken(struct virtqueue *vq, const char *why, int error)
{
    vq->broken = why;
    return error;
}

int vq_enable(struct virtqueue *vq)
{
    uint32_t size = vq->size;
    vq->is_enabled = true;
    vq->broken = NULL;
    if (!size || size > vq->max_size || (size & (size - 1)))
        return broken(vq, "queue size is no power of two or too large", LEAT_EINVAL);
    /* virtio 1.2, 2.7: alignment and size of the three parts, event index fields included */
    if ((vq->descriptors_gpa & 15) || (vq->driver_gpa & 1) || (vq->device_gpa & 3))
        return broken(vq, "queue is not aligned", LEAT_EINVAL);
    vq->descriptors = guest_memory_at(vq->memory, gpa(vq->descriptors_gpa), 16ull * size);
    vq->driver = guest_memory_at(vq->memory, gpa(vq->driver_gpa), 6 + 2ull * size);
    vq->device = guest_memory_at(vq->memory, gpa(vq->device_gpa), 6 + 8ull * size);
    if (!vq->descriptors || !vq->driver || !vq->device)
        return broken(vq, "queue lies outside of memory", LEAT_EFAULT);
    vq->next_avail = vq->next_used = vq->published = 0;
    return LEAT_OK;
}

/* Where a walk through a chain is. */
struct walk {
    const uint8_t *table;
    uint32_t entries; /* of the table */
    uint32_t seen;    /* descriptors taken from it: more than entries is a loop */
    bool is_indirect;
};

static int enter_indirect(struct virtqueue *vq, struct walk *walk, const struct descriptor *d)
{
    if (!vq->has_indirect)
        return broken(vq, "indirect descriptor, not negotiated", LEAT_EPROTO);
    if (walk->is_indirect)
        return broken(vq, "indirect descriptor in an indirect table", LEAT_EPROTO);
    if (d->flags & FLAG_NEXT)
        return broken(vq, "indirect descriptor with a successor", LEAT_EPROTO);
    if (!d->length || d->length % DESCRIPTOR_BYTES)
        return broken(vq, "indirect table's length is no multiple of 16", LEAT_EPROTO);
    walk->table = guest_memory_at(vq->memory, gpa(d->address), d->length);
    if (!walk->table)
        return broken(vq, "indirect table lies outside of memory", LEAT_EPROTO);
    walk->entries = d->length / DESCRIPTOR_BYTES;
    walk->seen = 0;
    walk->is_indirect = true;
    return LEAT_OK;
}

static int add_segment(struct virtqueue *vq, struct vq_chain *chain, const struct descriptor *d)
{
    unsigned count = (unsigned)chain->readable + chain->writable;
    if (count == VQ_MAX_SEGMENTS)
        return broken(vq, "chain has too many buffers", LEAT_EPROTO);
    if (!d->length)
        return broken(vq, "buffer of length zero", LEAT_EPROTO);
    uint8_t *host = guest_memory_at(vq->memory, gpa(d->address), d->length);
    if (!host)
        return broken(vq, "buffer lies outside of memory", LEAT_EPROTO);
    if (d->flags & FLAG_WRITE) {
        chain->writable++;
        chain->writable_bytes += d->length;
    } else {
        if (chain->writable)
            return broken(vq, "readable buffer behind a writable one", LEAT_EPROTO);
        chain->readable++;
        chain->readable_bytes += d->length;
    }
    /* virtio 1.2, 2.7.5.3.1: not more than 2^32 bytes in all */
    if (chain->readable_bytes + chain->writable_bytes > UINT32_MAX)
        return broken(vq, "chain is longer than 4 GiB", LEAT_EPROTO);
    chain->segments[count] = (struct vq_segment){host, d->length};
    return LEAT_OK;
}

static int walk_chain(struct virtqueue *vq, struct vq_chain *chain)
{
    struct walk walk = {.table = vq->descriptors, .entries = vq->size};
    uint32_t index = chain->head;
    for (;;) {
        if (index >= walk.entries)
            return broken(vq, "descriptor number out of range", LEAT_EPROTO);
        if (walk.seen++ == walk.entries)
            return broken(vq, "descriptor chain is a loop", LEAT_EPROTO);
        struct descriptor d = load_descriptor(walk.table, index);
        int error;
        if (d.flags & FLAG_INDIRECT) {
            error = enter_indirect(vq, &walk, &d);
            index = 0;
        } else {
            error = add_segment(vq, chain, &d);
            if (!error && !(d.flags & FLAG_NEXT))
                return LEAT_OK;
            index = d.next;
        }
        if (error)
            return error;
    }
}

int vq_pop(struct virtqueue *vq, struct vq_chain *chain)
{
    if (vq->broken)
        return LEAT_EPROTO;
    if (!vq->is_enabled)
        return LEAT_EAGAIN;
    uint16_t index = load16(vq->driver + RING_INDEX);
    uint16_t there = (uint16_t)(index - vq->next_avail);
    if (!there)
        return LEAT_EAGAIN;
    if (there > vq->size)
        return broken(vq, "available index jumped", LEAT_EPROTO);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    unsigned slot = vq->next_avail & (vq->size - 1u);
    chain->head = load16(vq->driver + RING_ENTRIES + 2 * slot);
    chain->readable = chain->writable = 0;
    chain->readable_bytes = chain->writable_bytes = 0;
    int error = walk_chain(vq, chain);
    if (!error)
        vq->next_avail++;
    return error;
}

void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written)
{
    if (vq->broken || !vq->is_enabled)
        return;
    unsigned slot = vq->next_used & (vq->size - 1u);
    const uint32_t element[2] = {head, written};
    memcpy(vq->device + RING_ENTRIES + USED_ELEMENT_BYTES * slot, element, sizeof(element));
    vq->next_used++;
}

bool vq_publish(struct virtqueue *vq)
{
    if (vq->broken || !vq->is_enabled || vq->next_used == vq->published)
        return false;
    uint16_t before = vq->published;
    vq->published = vq->next_used;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    store16(vq->device + RING_INDEX, vq->published);
    /* The driver's wish must be read after it can have seen the index: virtio 1.2, 2.7.7.2 */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!vq->has_event_idx)
        return !(load16(vq->driver + RING_FLAGS) & AVAIL_NO_INTERRUPT);
    uint16_t event = load16(vq->driver + RING_ENTRIES + 2u * vq->size);
    return (uint16_t)(vq->published - event - 1) < (uint16_t)(vq->published - before);
}

void vq_doorbell_off(struct virtqueue *vq)
{
    /* With event indexes there is nothing to do: the event index stays behind, so the driver does
       not ring until vq_doorbell_on moves it. */
    if (!vq->broken && vq->is_enabled && !vq->has_event_idx)
        store16(vq->device + RING_FLAGS, USED_NO_NOTIFY);
}

bool vq_doorbell_on(struct virtqueue *vq)
{
    if (vq->broken || !vq->is_enabled)
        return false;
    if (vq->has_event_idx)
        store16(vq->device + RING_ENTRIES + USED_ELEMENT_BYTES * vq->size, vq->next_avail);
    else
        store16(vq->device + RING_FLAGS, 0);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return load16(vq->driver + RING_INDEX) != vq->next_avail;
}
