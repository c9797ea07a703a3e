// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/disk.h"

#include <string.h>
#include "vmm/virtio/blk_regs.h"

#define CLASS_STORAGE_SCSI 0x010000u /* what virtio disks have always shown: mass storage, SCSI */

int virtio_disk_init(struct virtio_disk *disk, const struct virtio_disk_config *config)
{
    strncpy(disk->name, config->name, sizeof(disk->name) - 1);
    disk->name[sizeof(disk->name) - 1] = 0;
    blk_client_init(&disk->client, config->channel, config->signal, config->hooks.ctx);
    int error =
        virtio_blk_init(&disk->blk, &disk->client, config->memory, config->queues, disk->name);
    if (error)
        return error;
    const struct virtio_pci_identity identity = {
        .virtio_id = VIRTIO_ID_BLOCK, .class_code = CLASS_STORAGE_SCSI, .name = disk->name};
    return virtio_pci_init(&disk->pci, &disk->blk.device, config->host, config->slot, &identity,
                           &config->hooks);
}

void virtio_disk_doorbell(struct virtio_disk *disk, unsigned queue)
{
    virtio_blk_doorbell(&disk->blk, queue);
}

void virtio_disk_completions(struct virtio_disk *disk)
{
    virtio_blk_completions(&disk->blk);
}

bool virtio_disk_may_sleep(struct virtio_disk *disk)
{
    return virtio_blk_may_sleep(&disk->blk);
}
