/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/system/blocktest/blocktest.h"

static const char marker[] = "Leat's block test may overwrite this disk\n";

static uint64_t word_of(uint64_t granule, unsigned word, unsigned g)
{
    uint64_t v = ((uint64_t)g << 56 | granule << 8 | word) * 0x9e3779b97f4a7c15ull;
    return v ^ v >> 29;
}

void pattern_fill(uint8_t *at, uint64_t first, uint64_t count, unsigned g)
{
    for (uint64_t i = first; i < first + count; i++)
        for (unsigned word = 0; word < GRANULE / 8; word++, at += 8)
            *(uint64_t *)at = word_of(i, word, g);
}

uint64_t pattern_find_wrong(const uint8_t *at, uint64_t first, uint64_t count, unsigned g)
{
    for (uint64_t i = first; i < first + count; i++)
        for (unsigned word = 0; word < GRANULE / 8; word++, at += 8)
            if (*(const uint64_t *)at != word_of(i, word, g))
                return i;
    return UINT64_MAX;
}

bool is_scratch_disk(const uint8_t *first_sector)
{
    for (unsigned i = 0; i < sizeof(marker) - 1; i++)
        if (first_sector[i] != (uint8_t)marker[i])
            return false;
    return true;
}
