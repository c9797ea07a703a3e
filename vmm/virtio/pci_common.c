// SPDX-License-Identifier: BSD-2-Clause
/* The common configuration structure: virtio 1.2, 4.1.4.3. */
#include "vmm/virtio/pci_regs.h"

enum common_field {
    OFFERED_SELECT = 0x00,
    OFFERED = 0x04,
    FEATURES_SELECT = 0x08,
    FEATURES = 0x0c,
    CONFIG_VECTOR = 0x10,
    QUEUE_COUNT = 0x12,
    STATUS = 0x14,
    GENERATION = 0x15,
    QUEUE_SELECT = 0x16,
    QUEUE_SIZE = 0x18,
    QUEUE_VECTOR = 0x1a,
    QUEUE_ENABLE = 0x1c,
    QUEUE_NOTIFY_OFFSET = 0x1e,
    QUEUE_DESCRIPTORS = 0x20,
    QUEUE_DRIVER = 0x28,
    QUEUE_DEVICE = 0x30,
};

static unsigned width_of(unsigned offset)
{
    if (offset == STATUS || offset == GENERATION)
        return 1;
    if (offset >= CONFIG_VECTOR && offset < QUEUE_DESCRIPTORS)
        return offset % 2 ? 0 : 2;
    return offset % 4 ? 0 : 4;
}

static uint32_t half(uint64_t value, bool is_high)
{
    return (uint32_t)(is_high ? value >> 32 : value);
}

static uint32_t queue_read(const struct virtio_pci *pci, unsigned offset)
{
    if (pci->queue_select >= pci->device->queue_count)
        return 0; /* size 0: no such queue */
    const struct virtqueue *vq = &pci->device->queues[pci->queue_select];
    bool is_high = offset & 4;
    switch (offset) {
    case QUEUE_SIZE:
        return vq->size;
    case QUEUE_VECTOR:
        return pci->queue_vectors[pci->queue_select];
    case QUEUE_ENABLE:
        return vq->is_enabled;
    case QUEUE_NOTIFY_OFFSET:
        return pci->queue_select;
    case QUEUE_DESCRIPTORS:
    case QUEUE_DESCRIPTORS + 4:
        return half(vq->descriptors_gpa, is_high);
    case QUEUE_DRIVER:
    case QUEUE_DRIVER + 4:
        return half(vq->driver_gpa, is_high);
    case QUEUE_DEVICE:
    case QUEUE_DEVICE + 4:
        return half(vq->device_gpa, is_high);
    default:
        return 0;
    }
}

uint32_t virtio_common_read(struct virtio_pci *pci, unsigned offset, unsigned width)
{
    if (width != width_of(offset))
        return 0;
    const struct virtio_device *dev = pci->device;
    switch (offset) {
    case OFFERED_SELECT:
        return pci->offered_select;
    case OFFERED:
        return virtio_get_offered(dev, pci->offered_select);
    case FEATURES_SELECT:
        return pci->features_select;
    case FEATURES:
        return virtio_get_features(dev, pci->features_select);
    case CONFIG_VECTOR:
        return pci->config_vector;
    case QUEUE_COUNT:
        return dev->queue_count;
    case STATUS:
        return dev->status;
    case GENERATION:
        return dev->generation;
    case QUEUE_SELECT:
        return pci->queue_select;
    default:
        return queue_read(pci, offset);
    }
}

/* A vector that does not exist reads back as "none": 4.1.5.1.2.1 */
static uint16_t checked_vector(const struct virtio_pci *pci, uint32_t value)
{
    return value < pci->msix.vectors ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

static void set_half(uint64_t *field, bool is_high, uint32_t value)
{
    if (is_high)
        *field = (*field & 0xffffffffull) | (uint64_t)value << 32;
    else
        *field = (*field & ~0xffffffffull) | value;
}

static void queue_write(struct virtio_pci *pci, unsigned offset, uint32_t value)
{
    if (pci->queue_select >= pci->device->queue_count)
        return;
    struct virtqueue *vq = &pci->device->queues[pci->queue_select];
    if (offset == QUEUE_VECTOR) {
        pci->queue_vectors[pci->queue_select] = checked_vector(pci, value);
        return;
    }
    if (vq->is_enabled) /* size and addresses are fixed from then on: 4.1.4.3.2 */
        return;
    bool is_high = offset & 4;
    switch (offset) {
    case QUEUE_SIZE:
        vq->size = (uint16_t)value;
        break;
    case QUEUE_ENABLE:
        if (value == 1)
            virtio_queue_enable(pci->device, pci->queue_select);
        break;
    case QUEUE_DESCRIPTORS:
    case QUEUE_DESCRIPTORS + 4:
        set_half(&vq->descriptors_gpa, is_high, value);
        break;
    case QUEUE_DRIVER:
    case QUEUE_DRIVER + 4:
        set_half(&vq->driver_gpa, is_high, value);
        break;
    case QUEUE_DEVICE:
    case QUEUE_DEVICE + 4:
        set_half(&vq->device_gpa, is_high, value);
        break;
    default:
        break;
    }
}

void virtio_common_write(struct virtio_pci *pci, unsigned offset, unsigned width, uint32_t value)
{
    if (width != width_of(offset))
        return;
    switch (offset) {
    case OFFERED_SELECT:
        pci->offered_select = value;
        break;
    case FEATURES_SELECT:
        pci->features_select = value;
        break;
    case FEATURES:
        virtio_set_features(pci->device, pci->features_select, value);
        break;
    case CONFIG_VECTOR:
        pci->config_vector = checked_vector(pci, value);
        break;
    case STATUS:
        if ((uint8_t)value == 0)
            virtio_pci_driver_reset(pci);
        else
            virtio_set_status(pci->device, (uint8_t)value);
        break;
    case QUEUE_SELECT:
        pci->queue_select = (uint16_t)value;
        break;
    default:
        queue_write(pci, offset, value);
    }
}
