// SPDX-License-Identifier: BSD-2-Clause
/*
 * The PCI transport of a virtio device: virtio 1.2, 4.1; modern only.
 *
 *   BAR 0     I/O: one 4-byte doorbell for each queue
 *   BAR 2, 3  memory: MSI-X table; vector numbers as the driver sets them, 1 + queues of them
 *   BAR 4, 5  memory: common configuration, interrupt status, device configuration
 *
 * Doorbells are ports so that the kernel can take them without decoding an instruction: while the
 * driver runs and BAR 0 is decoded, each enabled queue's port is announced by hooks.doorbell_set. A
 * doorbell that was not announced (or could not be) arrives through the port bus and does the same.
 */
#ifndef VMM_VIRTIO_PCI_H
#define VMM_VIRTIO_PCI_H

#include "vmm/pci/pci.h"
#include "vmm/pci/msix.h"
#include "vmm/virtio/device.h"

struct virtio_pci_hooks { /* any may be NULL */
    void *ctx;
    void (*doorbell_set)(void *ctx, uint16_t port, unsigned queue);
    void (*doorbell_clear)(void *ctx, uint16_t port, unsigned queue);
    void (*report)(void *ctx, const char *why); /* the guest's driver broke the rules */
};

struct virtio_pci {
    struct virtio_device *device;
    struct virtio_pci_hooks hooks;
    struct pci_function function;
    struct pci_msix msix;
    uint8_t isr; /* virtio 1.2, 4.1.4.5 */
    uint32_t offered_select, features_select;
    uint16_t queue_select;
    uint16_t config_vector, queue_vectors[VIRTIO_MAX_QUEUES];
    uint16_t doorbell_port; /* port of queue 0 as announced; valid where doorbells has bits */
    uint32_t doorbells;     /* queues whose port is announced: one bit each */
    unsigned access_cap;    /* offset of the PCI configuration access capability */
};

struct virtio_pci_identity {
    uint16_t virtio_id; /* 2: block device; virtio 1.2, 5 */
    uint32_t class_code;
    const char *name; /* must outlive the function */
};

/* Joins the device and plugs the function into the bus. Errors as of pci_host_plug. */
int virtio_pci_init(struct virtio_pci *pci, struct virtio_device *device, struct pci_host *host,
                    unsigned slot, const struct virtio_pci_identity *identity,
                    const struct virtio_pci_hooks *hooks);

#endif
