// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/device.h"

#include "lib/assert.h"

static void reset_state(struct virtio_device *dev)
{
    dev->features = 0;
    dev->status = 0;
    for (unsigned i = 0; i < dev->queue_count; i++)
        vq_reset(&dev->queues[i], dev->memory, dev->queue_max_size);
}

void virtio_device_init(struct virtio_device *dev)
{
    LEAT_ASSERT(dev->queue_count && dev->queue_count <= VIRTIO_MAX_QUEUES);
    dev->offered |= VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
    dev->generation = 0;
    reset_state(dev);
}

void virtio_device_join(struct virtio_device *dev, const struct virtio_transport_ops *ops,
                        void *transport)
{
    dev->transport_ops = ops;
    dev->transport = transport;
}

void virtio_device_reset(struct virtio_device *dev)
{
    reset_state(dev);
    dev->ops->reset(dev->device);
    dev->transport_ops->changed(dev->transport);
}

/* What the driver accepted must be offered, and VERSION_1 must be among it: virtio 1.2, 3.1.1
 * and 6.2. */
static bool features_are_good(const struct virtio_device *dev)
{
    return !(dev->features & ~dev->offered) && (dev->features & VIRTIO_F_VERSION_1);
}

static void start_queues(struct virtio_device *dev)
{
    for (unsigned i = 0; i < dev->queue_count; i++) {
        dev->queues[i].has_indirect = dev->features & VIRTIO_F_INDIRECT_DESC;
        dev->queues[i].has_event_idx = dev->features & VIRTIO_F_EVENT_IDX;
    }
}

void virtio_set_status(struct virtio_device *dev, uint8_t status)
{
    if (!status) {
        virtio_device_reset(dev);
        return;
    }
    uint8_t before = dev->status;
    /* A driver may only add bits (2.1.1); NEEDS_RESET is the device's own. */
    uint8_t after = before | (status & (uint8_t)~VIRTIO_NEEDS_RESET);
    if ((after & ~before & VIRTIO_FEATURES_OK) && !features_are_good(dev))
        after &= (uint8_t)~VIRTIO_FEATURES_OK;
    if ((after & ~before & VIRTIO_DRIVER_OK) && !(after & VIRTIO_FEATURES_OK))
        after &= (uint8_t)~VIRTIO_DRIVER_OK;
    dev->status = after;
    if (after & ~before & VIRTIO_FEATURES_OK) {
        start_queues(dev);
        dev->ops->features_ok(dev->device);
    }
    if ((after & ~before & VIRTIO_DRIVER_OK) && virtio_is_running(dev))
        dev->ops->driver_ok(dev->device);
    dev->transport_ops->changed(dev->transport);
}

void virtio_set_features(struct virtio_device *dev, unsigned select, uint32_t value)
{
    if (select > 1 || (dev->status & VIRTIO_FEATURES_OK))
        return;
    unsigned shift = 32 * select;
    dev->features = (dev->features & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

uint32_t virtio_get_offered(const struct virtio_device *dev, unsigned select)
{
    return select > 1 ? 0 : (uint32_t)(dev->offered >> (32 * select));
}

uint32_t virtio_get_features(const struct virtio_device *dev, unsigned select)
{
    return select > 1 ? 0 : (uint32_t)(dev->features >> (32 * select));
}

void virtio_queue_enable(struct virtio_device *dev, unsigned queue)
{
    if (queue >= dev->queue_count || dev->queues[queue].is_enabled ||
        !(dev->status & VIRTIO_FEATURES_OK))
        return;
    struct virtqueue *vq = &dev->queues[queue];
    if (vq_enable(vq) != LEAT_OK)
        virtio_fail(dev, vq->broken);
    dev->transport_ops->changed(dev->transport);
}

void virtio_notify(struct virtio_device *dev, unsigned queue)
{
    if (queue < dev->queue_count && virtio_is_running(dev))
        dev->ops->notify(dev->device, queue);
}

uint32_t virtio_config_read(const struct virtio_device *dev, unsigned offset, unsigned width)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < width && i < 4; i++)
        if (offset < dev->config_size && i < dev->config_size - offset)
            value |= (uint32_t)dev->config[offset + i] << (8 * i);
    return value;
}

void virtio_config_write(struct virtio_device *dev, unsigned offset, unsigned width, uint32_t value)
{
    if (offset < dev->config_size && width <= dev->config_size - offset)
        dev->ops->config_write(dev->device, offset, width, value);
}

bool virtio_is_running(const struct virtio_device *dev)
{
    return (dev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

void virtio_fail(struct virtio_device *dev, const char *why)
{
    if (dev->status & VIRTIO_NEEDS_RESET)
        return;
    dev->status |= VIRTIO_NEEDS_RESET;
    if (dev->transport_ops->report)
        dev->transport_ops->report(dev->transport, why);
    if (dev->status & VIRTIO_DRIVER_OK) /* virtio 1.2, 2.1.2 */
        dev->transport_ops->interrupt_config(dev->transport);
    dev->transport_ops->changed(dev->transport);
}

void virtio_config_changed(struct virtio_device *dev)
{
    dev->generation++;
    if (virtio_is_running(dev))
        dev->transport_ops->interrupt_config(dev->transport);
}

void virtio_queue_publish(struct virtio_device *dev, unsigned queue)
{
    if (virtio_is_running(dev) && vq_publish(&dev->queues[queue]))
        dev->transport_ops->interrupt_queue(dev->transport, queue);
}
