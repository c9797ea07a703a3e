// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/store/crc32c.h"

#include <stdbool.h>
#include <string.h>

/* 0x1EDC6F41 with its bits mirrored, as the CRC is sent lowest bit first (RFC 3720, 12.1). */
#define POLYNOMIAL 0x82f63b78u
#define TABLES 8u

static uint32_t tables[TABLES][256];

static void make_tables(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (uint32_t t = 1; t < TABLES; t++)
            tables[t][byte] = tables[t - 1][byte] >> 8 ^ tables[0][tables[t - 1][byte] & 0xff];
}

/* Eight bytes a step: table t advances a byte by t more bytes. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *at = data;
    if (!tables[0][1])
        make_tables();
    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word ^= crc;
        crc = 0;
        for (uint32_t t = 0; t < TABLES; t++)
            crc ^= tables[TABLES - 1 - t][word >> 8 * t & 0xff];
    }
    for (; size; size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xff];
    return ~crc;
}

#if defined __x86_64__
/* SDM vol. 2, CRC32: the same polynomial; an instruction of SSE4.2 (CPUID.1:ECX bit 20). */
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *at,
                                                                 size_t size)
{
    uint64_t value = (uint32_t)~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        value = __builtin_ia32_crc32di(value, word);
    }
    for (; size; size--)
        value = __builtin_ia32_crc32qi((uint32_t)value, *at++);
    return ~(uint32_t)value;
}

static bool has_instruction(void)
{
    static _Atomic int known; /* 0: not asked yet; threads may ask at once */
    if (!known) {
        uint32_t eax = 1, ebx, ecx = 0, edx;
        __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
        known = ecx >> 20 & 1 ? 1 : -1;
    }
    return known > 0;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return has_instruction() ? by_instruction(crc, data, size) : crc32c_portable(crc, data, size);
}
#else
uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return crc32c_portable(crc, data, size);
}
#endif
