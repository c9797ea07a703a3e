/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/bench/disk.h"
#include "tests/guests/common/pci.h"

#define QUEUE_SIZE 32u /* three descriptors a request */
#define DESCRIPTORS 3u
#define CAP_MSIX 0x11u
#define CAP_VENDOR 0x09u
#define COMMAND_ALL 0x407u /* I/O, memory, bus master, no INTx */
#define MSIX_ENABLE (1u << 31)
#define MSI_ADDRESS 0xfee00000u

/* virtio 1.2, 4.1.4.3 */
enum {
    DRIVER_FEATURE_SELECT = 8,
    DRIVER_FEATURE = 12,
    DEVICE_STATUS = 20,
    QUEUE_SELECT = 22,
    QUEUE_SIZE_FIELD = 24,
    QUEUE_VECTOR = 26,
    QUEUE_ENABLE = 28,
    QUEUE_DESC = 32,
    QUEUE_DRIVER = 40,
    QUEUE_DEVICE = 48,
};
enum { STATUS_DRIVER = 3, STATUS_FEATURES_OK = 11, STATUS_DRIVER_OK = 15 };
enum { NEXT = 1, WRITE = 2 };

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static struct {
    _Alignas(4096) struct descriptor descriptors[QUEUE_SIZE];
    _Alignas(4096) struct {
        uint16_t flags, index, ring[QUEUE_SIZE];
    } avail;
    _Alignas(4096) struct {
        uint16_t flags, index;
        struct {
            uint32_t id, length;
        } ring[QUEUE_SIZE];
    } used;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } headers[DISK_REQUESTS];
    uint8_t status[DISK_REQUESTS];
} queue;

static void put8(const struct disk *d, unsigned offset, uint8_t v)
{
    d->common[offset] = v;
}
static void put16(const struct disk *d, unsigned offset, uint16_t v)
{
    *(volatile uint16_t *)(d->common + offset) = v;
}
static void put32(const struct disk *d, unsigned offset, uint32_t v)
{
    *(volatile uint32_t *)(d->common + offset) = v;
}
static void put64(const struct disk *d, unsigned offset, const volatile void *v)
{
    put32(d, offset, (uint32_t)(uintptr_t)v);
    put32(d, offset + 4, (uint32_t)((uintptr_t)v >> 32));
}

/* One vector, VECTOR_DISK. */
static void start_msix(unsigned device, unsigned cap)
{
    uint32_t place = pci_read(device, cap + 4);
    volatile uint32_t *entry =
        (volatile uint32_t *)(uintptr_t)(pci_bar(device, place & 7) + (place & ~7u));
    entry[0] = MSI_ADDRESS;
    entry[1] = 0;
    entry[2] = VECTOR_DISK;
    entry[3] = 0;
    pci_write(device, cap, pci_read(device, cap) | MSIX_ENABLE);
}

static void look_at_capability(struct disk *d, unsigned device, unsigned cap)
{
    uint32_t head = pci_read(device, cap);
    if ((head & 0xff) == CAP_MSIX)
        start_msix(device, cap);
    if ((head & 0xff) != CAP_VENDOR)
        return;
    uint64_t at = pci_bar(device, pci_read(device, cap + 4) & 7) + pci_read(device, cap + 8);
    switch (head >> 24) { /* virtio 1.2, 4.1.4 */
    case 1:
        d->common = (volatile uint8_t *)(uintptr_t)at;
        break;
    case 2:
        d->doorbell = (uint16_t)at;
        break;
    case 4:
        d->sectors = *(volatile uint32_t *)(uintptr_t)at |
                     (uint64_t) * (volatile uint32_t *)(uintptr_t)(at + 4) << 32;
        break;
    }
}

static bool find(struct disk *d)
{
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        if (pci_read(device, 0) != PCI_VIRTIO_DISK)
            continue;
        pci_write(device, 4, COMMAND_ALL);
        for (unsigned cap = pci_read(device, 0x34) & 0xfc; cap;
             cap = pci_read(device, cap) >> 8 & 0xfc)
            look_at_capability(d, device, cap);
        return d->common && d->doorbell;
    }
    return false;
}

bool disk_start(struct disk *d)
{
    *d = (struct disk){0};
    if (!find(d)) {
        say("BENCH no disk");
        return false;
    }
    put8(d, DEVICE_STATUS, 0);
    put8(d, DEVICE_STATUS, STATUS_DRIVER);
    put32(d, DRIVER_FEATURE_SELECT, 0);
    put32(d, DRIVER_FEATURE, 0);
    put32(d, DRIVER_FEATURE_SELECT, 1);
    put32(d, DRIVER_FEATURE, 1); /* VERSION_1 */
    put8(d, DEVICE_STATUS, STATUS_FEATURES_OK);
    put16(d, QUEUE_SELECT, 0);
    put16(d, QUEUE_SIZE_FIELD, QUEUE_SIZE);
    put16(d, QUEUE_VECTOR, 0);
    put64(d, QUEUE_DESC, queue.descriptors);
    put64(d, QUEUE_DRIVER, &queue.avail);
    put64(d, QUEUE_DEVICE, &queue.used);
    put16(d, QUEUE_ENABLE, 1);
    put8(d, DEVICE_STATUS, STATUS_DRIVER_OK);
    return d->common[DEVICE_STATUS] == STATUS_DRIVER_OK;
}

void disk_offer(unsigned slot, uint32_t type, uint64_t sector, void *data, uint32_t bytes)
{
    struct descriptor *d = &queue.descriptors[DESCRIPTORS * slot];
    uint16_t first = (uint16_t)(DESCRIPTORS * slot);
    queue.headers[slot].type = type;
    queue.headers[slot].sector = sector;
    queue.status[slot] = 0xff;
    d[0] = (struct descriptor){(uintptr_t)&queue.headers[slot], sizeof(queue.headers[slot]), NEXT,
                               (uint16_t)(first + 1)};
    d[1] = (struct descriptor){(uintptr_t)data, bytes, NEXT | WRITE, (uint16_t)(first + 2)};
    d[2] = (struct descriptor){(uintptr_t)&queue.status[slot], 1, WRITE, 0};
    uint16_t index = queue.avail.index;
    queue.avail.ring[index % QUEUE_SIZE] = first;
    __atomic_store_n(&queue.avail.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

uint16_t disk_finished(void)
{
    return __atomic_load_n(&queue.used.index, __ATOMIC_ACQUIRE);
}

uint8_t disk_status(unsigned slot)
{
    return queue.status[slot];
}

unsigned disk_finished_slot(uint16_t which)
{
    return queue.used.ring[which % QUEUE_SIZE].id / DESCRIPTORS;
}
