// SPDX-License-Identifier: BSD-2-Clause
/*
 * A machine around the virtio devices for host tests: guest memory, buses, recorded interrupts and
 * doorbells, a block server on a disk in memory, and a guest's driver that works through PCI.
 */
#ifndef TESTS_VIRTIO_FAKE_H
#define TESTS_VIRTIO_FAKE_H

#include "vmm/pci/pci.h"
#include "vmm/virtio/attach.h"

#define FAKE_RAM_BYTES (16u << 20)
#define FAKE_HIGH_RAM 0x100000000ull
#define FAKE_HIGH_BYTES (1u << 20)
#define FAKE_SLOT 3u

struct fake_signal {
    uint64_t bits;
    vm_fn fn;
    void *context;
};

struct fake {
    struct vm vm;
    uint8_t *ram, *high;
    unsigned line[24];          /* level of each GSI */
    unsigned msi_count[32];     /* by data */
    uint16_t doorbell_port[64]; /* by bit number; 0: none */
    uint64_t bits_used;
    struct fake_signal signals[16];
    unsigned signal_count;
    vm_idle_fn idle;
    void *idle_context;
    unsigned peer_signals, log_lines;
    /* the server */
    struct leat_start_entry entry;
    struct leat_blk_channel *channel;
    struct leat_ring_end requests, completions;
    uint8_t *disk;
    uint64_t disk_bytes;
    struct leat_blk_request held[LEAT_BLK_RING_COUNT]; /* taken, not answered */
    unsigned held_count;
    unsigned ops[8];       /* requests by op */
    unsigned fua, no_hole; /* requests with that flag */
    unsigned fail_next;    /* so many requests end with LEAT_EIO */
};

/* A disk of that size and features, READY; not attached yet. */
void fake_init(struct fake *fake, uint64_t disk_bytes, uint32_t block_size, uint32_t features);
void fake_free(struct fake *fake);

/* Takes what is in the request ring; answers `count` of what is held, the pick-th each time. */
void server_take(struct fake *fake);
void server_answer(struct fake *fake, unsigned pick);
void server_run(struct fake *fake); /* takes and answers all, in order */
void server_complete(struct fake *fake, uint64_t id, int status);

/* What the device thread does when its notification has bits: completions and idle work. */
void device_run(struct fake *fake);

/* Configuration space of the disk by ports, and MMIO and ports of its BARs. */
uint32_t cfg_read(struct fake *fake, unsigned device, unsigned offset, unsigned width);
void cfg_write(struct fake *fake, unsigned device, unsigned offset, unsigned width, uint32_t value);
uint64_t bar_address(struct fake *fake, unsigned index);

/* -- the driver -- */

struct driver_queue {
    unsigned number;
    uint16_t size;
    uint64_t descriptors, avail, used; /* guest-physical */
    uint16_t avail_index, used_index;
    uint16_t free_head, free_count;
    uint16_t chain_length[VQ_MAX_SIZE];
};

struct driver {
    struct fake *fake;
    uint64_t common, config, notify; /* addresses */
    uint64_t features;
    unsigned queue_count;
    struct driver_queue queues[VIRTIO_MAX_QUEUES];
};

struct driver_buffer {
    uint64_t gpa;
    uint32_t length;
    bool is_writable;
};

/* Enables the function and MSI-X, negotiates offered & wanted, sets up the queues, DRIVER_OK.
   Returns the status register. */
unsigned driver_start(struct driver *driver, struct fake *fake, uint64_t wanted, uint16_t size);
void driver_enable_pci(struct driver *driver, struct fake *fake);
uint32_t common_read(struct driver *driver, unsigned offset, unsigned width);
void common_write(struct driver *driver, unsigned offset, unsigned width, uint32_t value);

/* Puts a chain into the avail ring; returns its head. No doorbell. indirect_gpa: where to put an
   indirect table; 0: direct. */
uint16_t driver_add(struct driver *driver, unsigned queue, const struct driver_buffer *buffers,
                    unsigned count, uint64_t indirect_gpa);
/* Rings the way the kernel would (the announced doorbell), or over the port bus if none. */
void driver_ring(struct driver *driver, unsigned queue);
/* Takes one used element: false, none. */
bool driver_used(struct driver *driver, unsigned queue, uint16_t *head, uint32_t *written);
/* Asks for an interrupt at the next used element, by whichever means was negotiated. */
void driver_arm(struct driver *driver, unsigned queue);

/* A whole block request at `at` (header there, status at +16, data at data_gpa); returns the head.
 */
uint16_t driver_blk(struct driver *driver, unsigned queue, uint32_t type, uint64_t sector,
                    uint64_t at, uint64_t data_gpa, uint32_t data_length);
/* The same, rung, served and waited for; returns the status byte. */
unsigned driver_do(struct driver *driver, uint32_t type, uint64_t sector, uint64_t data_gpa,
                   uint32_t data_length);

#endif
