// SPDX-License-Identifier: BSD-2-Clause
/* Joins a "disk" entry of the start block (include/leat/start.h) with the VM: what the vmm's main
 * calls. */
#ifndef VMM_VIRTIO_ATTACH_H
#define VMM_VIRTIO_ATTACH_H

#include <leat/start.h>
#include "vmm/virtio/disk.h"
#include "vmm/vm.h"

/* What the server says about the entry's disk now; see blk_client_get_info. LEAT_EINVAL: the entry
   maps no whole channel. */
int virtio_disk_info(const struct leat_start_entry *entry, struct blk_client_info *info);

/* Puts the disk on the VM's PCI bus as device `slot`, with `queues` request queues, and hooks it
   into the device thread. pci_host_init comes first; before the guest runs. The entry must stay.
   Errors as of virtio_disk_init (LEAT_EAGAIN: the disk's size is not known yet, nothing was
   changed: call again when the server has signalled my_bits), LEAT_EINVAL, LEAT_ENOMEM. */
int virtio_disk_attach(struct vm *vm, const struct leat_start_entry *entry, unsigned slot,
                       unsigned queues);

#endif
