// SPDX-License-Identifier: BSD-2-Clause
/* Layout of the virtio PCI transport (virtio 1.2, 4.1), for pci.c and pci_common.c. */
#ifndef VMM_VIRTIO_PCI_REGS_H
#define VMM_VIRTIO_PCI_REGS_H

#include "vmm/virtio/pci.h"

/* virtio 1.2, 4.1.2 */
#define VIRTIO_PCI_VENDOR 0x1af4u
#define VIRTIO_PCI_DEVICE_BASE 0x1040u
#define VIRTIO_PCI_SUBSYSTEM 0x1100u /* any number from 0x40 on */
#define VIRTIO_NO_VECTOR 0xffffu     /* 4.1.5.1.2 */

/* Where our structures are. */
enum {
    DOORBELL_BAR = 0,
    DOORBELL_BAR_BYTES = 16,
    DOORBELL_STRIDE = 4, /* notify_off_multiplier */
    MSIX_BAR = 2,
    STRUCTURE_BAR = 4,
    STRUCTURE_BAR_BYTES = 4096,
    COMMON_OFFSET = 0,
    COMMON_BYTES = 0x38, /* up to queue_device: no notification data, no queue reset */
    ISR_OFFSET = 0x100,
    CONFIG_OFFSET = 0x200,
};
_Static_assert(DOORBELL_STRIDE *VIRTIO_MAX_QUEUES <= DOORBELL_BAR_BYTES, "doorbells fit");

/* 4.1.4: offsets in a vendor capability, and its types */
enum {
    CAP_BAR = 4,
    CAP_OFFSET = 8,
    CAP_LENGTH = 12,
    CAP_BYTES = 16,
    CAP_DATA = 16,
    CAP_TYPE_COMMON = 1,
    CAP_TYPE_NOTIFY = 2,
    CAP_TYPE_ISR = 3,
    CAP_TYPE_DEVICE = 4,
    CAP_TYPE_ACCESS = 5,
};

/* 4.1.4.5 */
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

/* The common configuration, pci_common.c: one access of 1, 2 or 4 bytes; of another width than the
   field's (halves of 64-bit fields are fields): reads give 0, writes go nowhere. */
uint32_t virtio_common_read(struct virtio_pci *pci, unsigned offset, unsigned width);
void virtio_common_write(struct virtio_pci *pci, unsigned offset, unsigned width, uint32_t value);

/* The driver wrote 0 to the status, or the machine was reset. */
void virtio_pci_driver_reset(struct virtio_pci *pci);

#endif
