// SPDX-License-Identifier: BSD-2-Clause
/* Numbers of 1 to 8 bytes in files and on disks, little-endian, at any address. */
#ifndef VDISK_BYTES_H
#define VDISK_BYTES_H

#include <stdint.h>

static inline void bytes_put(uint8_t *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t bytes_get(const uint8_t *from, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

#endif
