// SPDX-License-Identifier: BSD-2-Clause
#include "drivers/block/match.h"

#define CLASS_IDE 0x0101u /* base class and subclass: PCI Code and ID Assignment, 1.2 */
#define CLASS_AHCI 0x010601u

/* PCI IDE controller specification 1.0: bits 0 and 2 of the programming interface are set for a channel in native mode. */
#define IDE_NATIVE 0x05u

static const struct block_match ide = {
    .driver = "ata",
    .bars = 1u << 4,
    .ports = {{0x1f0, 8}, {0x3f6, 1}, {0x170, 8}, {0x376, 1}},
    .isa_irqs = {14, 15},
};

/* NVM Express 1.4, 2.1.5: base class, subclass and programming interface. */
#define CLASS_NVME 0x010802u

static const struct block_match nvme = {.driver = "nvme", .bars = 1u << 0};

/* virtio 1.2, 4.1.2: 0x1040 + the device's number (5), and the number of transitional block devices. The modern structures
   may lie in any BAR. */
#define VIRTIO_VENDOR 0x1af4u
#define VIRTIO_BLK_DEVICE 0x1042u
#define VIRTIO_BLK_TRANSITIONAL 0x1001u

static const struct block_match virtio_blk = {.driver = "virtio-blk", .bars = 0x3f};
static const struct block_match ahci = {.driver = "ahci", .bars = 1u << 5};

const struct block_match *block_match_find(const struct block_pci_id *id)
{
    if (id->class_code >> 8 == CLASS_IDE && !(id->class_code & IDE_NATIVE))
        return &ide;
    if (id->class_code == CLASS_NVME)
        return &nvme;
    if (id->vendor == VIRTIO_VENDOR &&
        (id->device == VIRTIO_BLK_DEVICE || id->device == VIRTIO_BLK_TRANSITIONAL))
        return &virtio_blk;
    if (id->class_code == CLASS_AHCI)
        return &ahci;
    return NULL;
}
