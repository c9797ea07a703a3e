// SPDX-License-Identifier: BSD-2-Clause
/* splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014): numbers that look random and
   follow from the state. Not for secrets. */
#ifndef LIB_SPLITMIX_H
#define LIB_SPLITMIX_H

#include <stdint.h>

#define SPLITMIX64_STEP 0x9e3779b97f4a7c15ull

/* What a state looks like. */
static inline uint64_t splitmix64_mix(uint64_t state)
{
    uint64_t z = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint64_t splitmix64(uint64_t *state)
{
    return splitmix64_mix(*state += SPLITMIX64_STEP);
}

#endif
