// SPDX-License-Identifier: BSD-2-Clause
/*
 * CRC32C, the Castagnoli polynomial: RFC 3720 (iSCSI), 12.1 and the examples of B.4. It finds every
 * burst of up to 32 bits and, in 4 KiB, every change of up to 3 bits.
 */
#ifndef VDISK_STORE_CRC32C_H
#define VDISK_STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0, or what a call for the bytes before has returned. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* The same without the CPU's instruction; for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size);

#endif
