/* SPDX-License-Identifier: BSD-2-Clause */
/* Garbage for the virtio disk and for PCI. Only block reads are asked for: the disk's content
 * stays. */
#include "tests/guests/hostile/hostile.h"

#define QUEUE_SIZE 16
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

/* Where things lie in the playground. */
#define DESCRIPTORS (PLAYGROUND + 0x0000ull)
#define AVAIL (PLAYGROUND + 0x1000ull)
#define USED (PLAYGROUND + 0x2000ull)
#define HEADER (PLAYGROUND + 0x3000ull)
#define STATUS (PLAYGROUND + 0x3100ull)
#define DATA (PLAYGROUND + 0x4000ull)
#define TABLE (PLAYGROUND + 0x100000ull)
#define TABLE_ENTRIES 65536u

struct disk {
    unsigned device;
    uint64_t common; /* BAR addresses */
    uint16_t doorbell;
};

/* The first virtio disk whose doorbells are ports. */
static bool find_disk(struct disk *disk)
{
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        if (pci_read(device, 0) != PCI_VIRTIO_DISK)
            continue;
        *disk = (struct disk){.device = device};
        pci_write(device, 4, 0x407);
        unsigned cap = pci_read(device, 0x34) & 0xfc;
        for (unsigned n = 0; cap && n < 48; n++, cap = pci_read(device, cap) >> 8 & 0xfc) {
            if ((pci_read(device, cap) & 0xff) != 9)
                continue;
            unsigned type = pci_read(device, cap) >> 24;
            unsigned index = pci_read(device, cap + 4) & 7;
            uint64_t at = pci_bar(device, index) + pci_read(device, cap + 8);
            if (type == 1)
                disk->common = at;
            if (type == 2 && (pci_read(device, 0x10 + 4 * index) & 1))
                disk->doorbell = (uint16_t)at;
        }
        return disk->common && disk->doorbell;
    }
    return false;
}

static void common8(const struct disk *d, unsigned offset, uint8_t v)
{
    *(paging_window(d->common) + offset) = v;
}
static void common16(const struct disk *d, unsigned offset, uint16_t v)
{
    *(volatile uint16_t *)(paging_window(d->common) + offset) = v;
}
static void common32(const struct disk *d, unsigned offset, uint32_t v)
{
    *(volatile uint32_t *)(paging_window(d->common) + offset) = v;
}
static uint8_t status(const struct disk *d)
{
    return *(paging_window(d->common) + 0x14);
}

static void set64(const struct disk *d, unsigned offset, uint64_t v)
{
    common32(d, offset, (uint32_t)v);
    common32(d, offset + 4, (uint32_t)(v >> 32));
}

static void clear(uint64_t from, uint64_t bytes)
{
    for (volatile uint64_t *p = (volatile uint64_t *)from; bytes; bytes -= 8)
        *p++ = 0;
}

static void start(const struct disk *d, uint16_t size, uint64_t descriptors, uint64_t avail,
                  uint64_t used)
{
    clear(PLAYGROUND, 0x8000);
    common8(d, 0x14, 0);
    common8(d, 0x14, 3);
    common32(d, 8, 0);
    common32(d, 12, 1u << 28); /* indirect descriptors */
    common32(d, 8, 1);
    common32(d, 12, 1); /* VERSION_1 */
    common8(d, 0x14, 11);
    common16(d, 0x16, 0);
    common16(d, 0x18, size);
    set64(d, 0x20, descriptors);
    set64(d, 0x28, avail);
    set64(d, 0x30, used);
    common16(d, 0x1c, 1);
    common8(d, 0x14, 15);
}

static void start_well(const struct disk *d)
{
    start(d, QUEUE_SIZE, DESCRIPTORS, AVAIL, USED);
}

static void describe(uint64_t table, unsigned i, uint64_t address, uint32_t length, unsigned flags,
                     unsigned next)
{
    volatile uint64_t *d = (volatile uint64_t *)(table + 16ull * i);
    d[0] = address;
    d[1] = length | (uint64_t)flags << 32 | (uint64_t)next << 48;
}

static void offer(const struct disk *d, uint16_t head, uint16_t index)
{
    volatile uint16_t *avail = (volatile uint16_t *)AVAIL;
    avail[2] = head;
    __asm__ volatile("" ::: "memory");
    avail[1] = index;
    out16(d->doorbell, 0);
}

/* A read of sector 0 as it should be; true: the disk answered. */
static bool good_read(const struct disk *d)
{
    start_well(d);
    volatile uint8_t *answer = (volatile uint8_t *)STATUS;
    *answer = 0xee;
    describe(DESCRIPTORS, 0, HEADER, 16, NEXT, 1); /* all zero: read, sector 0 */
    describe(DESCRIPTORS, 1, DATA, 512, NEXT | WRITE, 2);
    describe(DESCRIPTORS, 2, STATUS, 1, WRITE, 0);
    offer(d, 0, 1);
    for (uint64_t i = 0; i < 2000000 && ((volatile uint16_t *)USED)[1] == 0; i++)
        __asm__ volatile("pause");
    return ((volatile uint16_t *)USED)[1] == 1 && *answer == 0;
}

/* -- the cases: each starts from a queue set up well -- */

static void loop(const struct disk *d)
{
    describe(DESCRIPTORS, 0, HEADER, 16, NEXT, 1);
    describe(DESCRIPTORS, 1, DATA, 512, NEXT | WRITE, 0);
    offer(d, 0, 1);
}
static void loop_of_one(const struct disk *d)
{
    describe(DESCRIPTORS, 3, HEADER, 16, NEXT, 3);
    offer(d, 3, 1);
}
static void endless(const struct disk *d)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        describe(TABLE, i, DATA, 1, NEXT | WRITE, (i + 1) % TABLE_ENTRIES);
    describe(DESCRIPTORS, 0, TABLE, 16 * TABLE_ENTRIES, INDIRECT, 0);
    offer(d, 0, 1);
}
static void outside(const struct disk *d)
{
    describe(DESCRIPTORS, 0, HEADER, 16, NEXT, 1);
    describe(DESCRIPTORS, 1, 0x3ffffffff000, 4096, NEXT | WRITE, 2);
    describe(DESCRIPTORS, 2, STATUS, 1, WRITE, 0);
    offer(d, 0, 1);
}
static void wraps(const struct disk *d)
{
    describe(DESCRIPTORS, 0, UINT64_MAX - 7, 16, NEXT, 1);
    describe(DESCRIPTORS, 1, STATUS, 1, WRITE, 0);
    offer(d, 0, 1);
}
static void too_long(const struct disk *d)
{
    describe(DESCRIPTORS, 0, HEADER, 16, NEXT, 1);
    describe(DESCRIPTORS, 1, DATA, 0xffffffff, NEXT | WRITE, 2);
    describe(DESCRIPTORS, 2, STATUS, 1, WRITE, 0);
    offer(d, 0, 1);
}
static void device_memory(const struct disk *d)
{
    describe(DESCRIPTORS, 0, HEADER, 16, NEXT, 1);
    describe(DESCRIPTORS, 1, d->common, 512, NEXT | WRITE, 2);
    describe(DESCRIPTORS, 2, 0xfee00000, 1, WRITE, 0);
    offer(d, 0, 1);
}
static void length_zero(const struct disk *d)
{
    describe(DESCRIPTORS, 0, HEADER, 0, NEXT, 1);
    describe(DESCRIPTORS, 1, STATUS, 1, WRITE, 0);
    offer(d, 0, 1);
}
static void wrong_order(const struct disk *d)
{
    describe(DESCRIPTORS, 0, STATUS, 1, NEXT | WRITE, 1);
    describe(DESCRIPTORS, 1, HEADER, 16, 0, 0);
    offer(d, 0, 1);
}
static void no_status(const struct disk *d)
{
    describe(DESCRIPTORS, 0, HEADER, 16, 0, 0);
    offer(d, 0, 1);
}
static void next_too_large(const struct disk *d)
{
    describe(DESCRIPTORS, 0, HEADER, 16, NEXT, QUEUE_SIZE);
    offer(d, 0, 1);
}
static void head_too_large(const struct disk *d)
{
    offer(d, 0xffff, 1);
}
static void index_jumps(const struct disk *d)
{
    offer(d, 0, 0x8000);
}
static void nested(const struct disk *d)
{
    describe(DESCRIPTORS, 0, TABLE, 16, INDIRECT, 0);
    describe(TABLE, 0, TABLE, 16, INDIRECT, 0);
    offer(d, 0, 1);
}
static void queue_outside(const struct disk *d)
{
    start(d, QUEUE_SIZE, 0x3ffffffff000, AVAIL, USED);
    offer(d, 0, 1);
}
static void queue_in_devices(const struct disk *d)
{
    start(d, QUEUE_SIZE, DESCRIPTORS, 0xfee00000, 0xe0000000);
    offer(d, 0, 1);
}
static void odd_size(const struct disk *d)
{
    start(d, 7, DESCRIPTORS, AVAIL, USED);
    offer(d, 0, 1);
}
static void huge_size(const struct disk *d)
{
    start(d, 0x8000, DESCRIPTORS, AVAIL, USED);
    offer(d, 0, 1);
}

static const struct {
    const char *name;
    void (*run)(const struct disk *d);
} cases[] = {
    {"descriptor loop", loop},
    {"descriptor that follows itself", loop_of_one},
    {"endless indirect table", endless},
    {"buffer outside of memory", outside},
    {"buffer that wraps around", wraps},
    {"buffer of 4 GiB", too_long},
    {"buffer in a device", device_memory},
    {"buffer of length zero", length_zero},
    {"readable behind writable", wrong_order},
    {"request without status", no_status},
    {"next out of range", next_too_large},
    {"head out of range", head_too_large},
    {"available index jumps", index_jumps},
    {"nested indirect tables", nested},
    {"queue outside of memory", queue_outside},
    {"queue in devices", queue_in_devices},
    {"queue of 7", odd_size},
    {"queue of 32768", huge_size},
};

/* Random descriptors whose addresses are partly good; whatever comes of it, the device must
 * survive. */
static void noise(const struct disk *d)
{
    start_well(d);
    for (unsigned turn = 0; turn < 64; turn++) {
        for (unsigned i = 0; i < QUEUE_SIZE; i++) {
            uint64_t at = DATA + random_next() % 0x10000;
            if (random_next() % 8 == 0)
                at = (uint64_t)random_next() << 32 | random_next();
            describe(DESCRIPTORS, i, at, random_next() % 2048, random_next() % 8,
                     random_next() % (QUEUE_SIZE + 2));
        }
        offer(d, (uint16_t)(random_next() % (QUEUE_SIZE + 1)), (uint16_t)(turn + 1));
        if (status(d) & 0x40)
            start_well(d);
    }
}

void attack_virtio(unsigned round)
{
    struct disk disk;
    if (!find_disk(&disk)) {
        say("virtio: no disk found");
        return;
    }
    unsigned bad = 0;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start_well(&disk);
        cases[i].run(&disk);
        for (unsigned n = 0; n < 200000 && !(status(&disk) & 0x40); n++)
            __asm__ volatile("pause");
        bool is_noticed = status(&disk) & 0x40, works = good_read(&disk);
        if (round == 0)
            say("virtio: %s: %s, after a reset the disk %s", cases[i].name,
                is_noticed ? "device asks for a reset" : "NOT NOTICED",
                works ? "works" : "IS DEAD");
        bad += !is_noticed || !works;
    }
    noise(&disk);
    bad += !good_read(&disk);
    say("virtio: %u cases and noise; %u not as they should be",
        (uint64_t)(sizeof(cases) / sizeof(cases[0])), (uint64_t)bad);
    common8(&disk, 0x14, 0);
}

void attack_pci(unsigned round)
{
    unsigned count = 0;
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        if (pci_read(device, 0) == 0xffffffff)
            continue;
        uint32_t old[64];
        for (unsigned i = 0; i < 64; i++)
            old[i] = pci_read(device, 4 * i);
        for (unsigned turn = 0; turn < 8; turn++) /* BARs on RAM, on each other, on other devices */
            for (unsigned i = 0; i < 64; i++, count++)
                pci_write(device, 4 * i, turn + round ? random_next() : 0xffffffff);
        for (unsigned i = 4; i < 10; i++, count++) {
            static const uint32_t places[] = {0xfee00000, 0xfec00000, 0xe0000000,
                                              0x00100000, 0x000003f8, 0x00000cf8};
            pci_write(device, 4 * i, places[i - 4]);
            pci_write(device, 4, 7);
        }
        for (unsigned i = 64; i--;)
            pci_write(device, 4 * i, old[i]);
    }
    say("pci: %u writes to configuration space, put back afterwards", (uint64_t)count);
}
