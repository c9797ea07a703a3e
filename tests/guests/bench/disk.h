/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver for a modern virtio disk with one queue and MSI-X, as small as it gets. virtio 1.2, 4.1 and 5.2 */
#ifndef TESTS_GUESTS_BENCH_DISK_H
#define TESTS_GUESTS_BENCH_DISK_H

#include "tests/guests/bench/bench.h"

#define DISK_REQUESTS 8u /* at most under way */

enum { DISK_READ = 0, DISK_GET_ID = 8 };

struct disk {
    volatile uint8_t *common; /* the common configuration structure */
    uint16_t doorbell;
    uint64_t sectors;
};

/* The first virtio disk; false after saying why not. Interrupts come at VECTOR_DISK. */
bool disk_start(struct disk *disk);

/* Puts request `slot` (0 .. DISK_REQUESTS - 1) into the queue; disk_ring tells the device. */
void disk_offer(unsigned slot, uint32_t type, uint64_t sector, void *data, uint32_t bytes);
static inline void disk_ring(const struct disk *disk)
{
    out16(disk->doorbell, 0);
}

/* How many requests the device has finished since disk_start. */
uint16_t disk_finished(void);
uint8_t disk_status(unsigned slot); /* of a finished request: 0 is good */
unsigned disk_finished_slot(uint16_t which);

#endif
