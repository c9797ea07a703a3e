// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio device without its transport: virtio 1.2, clause 2. Two tables of functions join the
 * parts: the device's (what it does) and the transport's (how it interrupts). Portable; all calls
 * with the VM's lock held.
 */
#ifndef VMM_VIRTIO_DEVICE_H
#define VMM_VIRTIO_DEVICE_H

#include "vmm/virtio/virtqueue.h"

#define VIRTIO_MAX_QUEUES 4u

enum virtio_status { /* virtio 1.2, 2.1 */
                     VIRTIO_ACKNOWLEDGE = 1,
                     VIRTIO_DRIVER = 2,
                     VIRTIO_DRIVER_OK = 4,
                     VIRTIO_FEATURES_OK = 8,
                     VIRTIO_NEEDS_RESET = 64,
                     VIRTIO_FAILED = 128,
};

/* virtio 1.2, 6: bits as masks */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

struct virtio_device_ops {
    /* The driver accepted dev->features; called once at each FEATURES_OK. */
    void (*features_ok)(void *device);
    /* The driver is ready: queues are enabled and may hold chains. */
    void (*driver_ok)(void *device);
    /* The driver (or the machine) was reset: after return nothing may touch guest memory. */
    void (*reset)(void *device);
    /* A queue's doorbell was rung through the bus. */
    void (*notify)(void *device, unsigned queue);
    /* The driver wrote to the device's configuration: width 1, 2 or 4, inside config_size. */
    void (*config_write)(void *device, unsigned offset, unsigned width, uint32_t value);
};

struct virtio_transport_ops {
    void (*interrupt_queue)(void *transport, unsigned queue);
    void (*interrupt_config)(void *transport);
    /* status or a queue's state changed: doorbells may have to follow */
    void (*changed)(void *transport);
    /* one line about a driver that broke the rules; may be NULL */
    void (*report)(void *transport, const char *why);
};

struct virtio_device {
    const struct guest_memory *memory;
    const struct virtio_device_ops *ops;
    void *device;
    const struct virtio_transport_ops *transport_ops;
    void *transport;
    uint64_t offered;  /* feature bits */
    uint64_t features; /* what the driver has written; negotiated once FEATURES_OK is set */
    uint8_t status;
    uint8_t generation; /* of the configuration */
    unsigned queue_count;
    uint16_t queue_max_size;
    struct virtqueue queues[VIRTIO_MAX_QUEUES];
    const uint8_t *config; /* the device's configuration, little endian */
    unsigned config_size;
};

/* The caller has filled memory, ops, device, offered, queue_count, queue_max_size, config*. */
void virtio_device_init(struct virtio_device *dev);
/* The transport joins before the guest runs. */
void virtio_device_join(struct virtio_device *dev, const struct virtio_transport_ops *ops,
                        void *transport);

/* -- for transports -- */
void virtio_device_reset(struct virtio_device *dev);
void virtio_set_status(struct virtio_device *dev, uint8_t status); /* what the driver wrote */
void virtio_set_features(struct virtio_device *dev, unsigned select, uint32_t value);
uint32_t virtio_get_offered(const struct virtio_device *dev, unsigned select);
uint32_t virtio_get_features(const struct virtio_device *dev, unsigned select);
void virtio_queue_enable(struct virtio_device *dev, unsigned queue);
void virtio_notify(struct virtio_device *dev, unsigned queue); /* any number; checked */
/* Any offset and width: bytes outside read as zero, writes outside go nowhere. */
uint32_t virtio_config_read(const struct virtio_device *dev, unsigned offset, unsigned width);
void virtio_config_write(struct virtio_device *dev, unsigned offset, unsigned width,
                         uint32_t value);

/* -- for devices -- */
/* The driver works: DRIVER_OK, and not NEEDS_RESET. */
bool virtio_is_running(const struct virtio_device *dev);
/* The driver broke the rules: NEEDS_RESET, and an interrupt for it. */
void virtio_fail(struct virtio_device *dev, const char *why);
/* The device has changed its configuration: new generation, interrupt. */
void virtio_config_changed(struct virtio_device *dev);
/* vq_publish, and the interrupt if one is wanted. */
void virtio_queue_publish(struct virtio_device *dev, unsigned queue);

#endif
