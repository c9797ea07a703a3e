// SPDX-License-Identifier: BSD-2-Clause
/* Registers that lie in memory, for whoever makes a driver's block_platform: one access of the width that the driver
   asks for. 1, 2, 4 or 8 bytes; `at` is a multiple of that. */
#ifndef DRIVERS_BLOCK_MMIO_H
#define DRIVERS_BLOCK_MMIO_H

#include <stdint.h>

static inline uint64_t block_mmio_read(const volatile void *at, unsigned bytes)
{
    switch (bytes) {
    case 1:
        return *(const volatile uint8_t *)at;
    case 2:
        return *(const volatile uint16_t *)at;
    case 4:
        return *(const volatile uint32_t *)at;
    default:
        return *(const volatile uint64_t *)at;
    }
}

static inline void block_mmio_write(volatile void *at, unsigned bytes, uint64_t value)
{
    switch (bytes) {
    case 1:
        *(volatile uint8_t *)at = (uint8_t)value;
        break;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    case 4:
        *(volatile uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(volatile uint64_t *)at = value;
        break;
    }
}

#endif
