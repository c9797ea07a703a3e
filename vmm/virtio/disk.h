// SPDX-License-Identifier: BSD-2-Clause
/*
 * A virtio disk on the guest's PCI bus, whole: block channel, block device, PCI function. This is
 * what the vmm uses. Still portable: what needs the kernel comes by hooks. All calls with the VM's
 * lock held.
 *
 * The device's thread:  bits = wait;  lock;
 *     for each doorbell bit: virtio_disk_doorbell(disk, queue);
 *     do virtio_disk_completions(disk); while (!virtio_disk_may_sleep(disk));
 *     unlock
 */
#ifndef VMM_VIRTIO_DISK_H
#define VMM_VIRTIO_DISK_H

#include "vmm/virtio/blk.h"
#include "vmm/virtio/pci.h"

struct virtio_disk_config {
    const char *name; /* of the disk; its first 20 bytes are the serial number */
    unsigned slot;    /* PCI device number, 1..31 */
    unsigned queues;  /* 1..VIRTIO_MAX_QUEUES */
    struct pci_host *host;
    const struct guest_memory *memory;
    struct leat_blk_channel *channel;
    void (*signal)(void *ctx);     /* wakes the server of the channel */
    struct virtio_pci_hooks hooks; /* hooks.ctx is also signal's */
};

struct virtio_disk {
    char name[64];
    struct blk_client client;
    struct virtio_blk blk;
    struct virtio_pci pci;
};

/* Makes the disk; zeroed memory for it (over 1 MiB) comes from the caller and stays for the VM's
   life. LEAT_EAGAIN: the server has not said its size yet ("waiting for disk": try again when the
   server signals); LEAT_EIO: the disk has failed; what the server says about it:
   blk_client_get_info. Else errors of virtio_blk_init and virtio_pci_init. */
int virtio_disk_init(struct virtio_disk *disk, const struct virtio_disk_config *config);

void virtio_disk_doorbell(struct virtio_disk *disk, unsigned queue);
void virtio_disk_completions(struct virtio_disk *disk);
bool virtio_disk_may_sleep(struct virtio_disk *disk);

#endif
