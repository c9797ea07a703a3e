// SPDX-License-Identifier: BSD-2-Clause
/*
 * The device's side of one split virtqueue: virtio 1.2, 2.7.
 *
 * Everything in the three areas belongs to the guest and may change at any time, so each value is
 * read once into a local copy and checked there. A driver that breaks the rules makes the queue
 * `broken`: from then on it gives nothing and takes nothing until it is reset. Portable; with the
 * VM's lock held.
 */
#ifndef VMM_VIRTIO_VIRTQUEUE_H
#define VMM_VIRTIO_VIRTQUEUE_H

#include <leat/types.h>
#include "vmm/memory.h"

#define VQ_MAX_SIZE 1024u    /* the largest size that a queue may have */
#define VQ_MAX_SEGMENTS 256u /* buffers in one chain; longer chains break the queue */

struct vq_segment {
    uint8_t *host;   /* inside guest RAM, checked */
    uint32_t length; /* bytes, not 0 */
};

/* A descriptor chain, checked: readable segments first, then writable ones. */
struct vq_chain {
    uint16_t head;
    uint16_t readable, writable; /* segments of each kind */
    uint64_t readable_bytes, writable_bytes;
    struct vq_segment segments[VQ_MAX_SEGMENTS];
};

struct virtqueue {
    const struct guest_memory *memory;
    /* set by the transport while the queue is not enabled */
    uint16_t max_size;
    uint16_t size;
    uint64_t descriptors_gpa, driver_gpa, device_gpa;
    bool has_indirect, has_event_idx; /* negotiated features */
    /* since vq_enable */
    bool is_enabled;
    const char *broken; /* NULL: fine; else why not */
    uint8_t *descriptors, *driver, *device;
    uint16_t next_avail; /* first entry of the driver's ring not taken yet */
    uint16_t next_used;  /* where the next used element goes */
    uint16_t published;  /* used index as the driver sees it */
};

/* Back to the state after a reset; max_size is a power of two up to VQ_MAX_SIZE. */
void vq_reset(struct virtqueue *vq, const struct guest_memory *memory, uint16_t max_size);

/* Starts the queue at the size and addresses that were set. LEAT_EINVAL: size no power of two or
   too large, or an area not aligned; LEAT_EFAULT: an area outside RAM. Then it is broken. */
int vq_enable(struct virtqueue *vq);

/* Takes the next chain. LEAT_EAGAIN: none. LEAT_EPROTO: the queue is broken. Does not wait. */
int vq_pop(struct virtqueue *vq, struct vq_chain *chain);

/* Gives a chain back with `written` bytes in its writable part; seen by the driver at vq_publish.
 */
void vq_push(struct virtqueue *vq, uint16_t head, uint32_t written);

/* Shows the driver what was pushed; true: it wants an interrupt for it. */
bool vq_publish(struct virtqueue *vq);

/* Asks the driver for no doorbells (a hint), or for one at the next chain. vq_doorbell_on returns
   true if chains are there already: take them, none will be rung for. */
void vq_doorbell_off(struct virtqueue *vq);
bool vq_doorbell_on(struct virtqueue *vq);

#endif
