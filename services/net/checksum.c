// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/checksum.h"

#include <string.h>

static uint64_t load64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

/* RFC 1071, section 2: the sum may be taken over words of any width and folded at the end, because
   a carry out of one word is worth one in the next. The two halves of a 128-bit sum keep the
   carries. */
uint16_t net_checksum(const void *data, int length)
{
    const uint8_t *at = data;
    unsigned __int128 sum = 0;

    for (; length >= 32; length -= 32, at += 32) {
        sum += load64(at);
        sum += load64(at + 8);
        sum += load64(at + 16);
        sum += load64(at + 24);
    }
    for (; length >= 8; length -= 8, at += 8)
        sum += load64(at);
    if (length > 0) {
        uint64_t rest = 0;
        memcpy(&rest, at, (size_t)length);
        sum += rest;
    }
    uint64_t high = (uint64_t)(sum >> 64), low = (uint64_t)sum;
    uint64_t folded = (low & 0xffffffffu) + (low >> 32) + high;

    while (folded >> 16)
        folded = (folded & 0xffff) + (folded >> 16);
    return (uint16_t)folded;
}
