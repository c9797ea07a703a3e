// SPDX-License-Identifier: BSD-2-Clause
/* The fake machine with one virtio disk in it, and the names of what its driver asks for. */
#ifndef TESTS_VIRTIO_DISK_FAKE_H
#define TESTS_VIRTIO_DISK_FAKE_H

#include "virtio_fake.h"

#define DISK_BYTES (8u << 20)
#define ALL_FEATURES                                                                               \
    (LEAT_BLK_CAN_FLUSH | LEAT_BLK_CAN_DISCARD | LEAT_BLK_CAN_ZERO | LEAT_BLK_CAN_FUA)
#define DATA 0x100000u /* guest-physical: buffers */

/* virtio 1.2, 5.2.6 */
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2 };

/* A disk of DISK_BYTES, attached, each sector begins with its byte offset. fake_end frees it. */
struct fake *fake_with_disk(uint32_t features, uint32_t block_size, unsigned queues);
void fake_end(struct fake *f);

/* Guest memory gets bytes that `seed` tells apart. */
void fake_fill(struct fake *f, uint64_t at, uint32_t length, unsigned seed);

#endif
