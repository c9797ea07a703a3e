// SPDX-License-Identifier: BSD-2-Clause
/* A set of block numbers: an open hash table; all zero: empty. */
#ifndef VDISK_PROFILE_BLOCKSET_H
#define VDISK_PROFILE_BLOCKSET_H

#include <stdbool.h>
#include <stdint.h>

struct blockset {
    uint64_t *places; /* block + 1; 0: free */
    uint32_t count, mask;
};

bool blockset_has(const struct blockset *s, uint64_t block);
/* 1: it was there, 0: it is new, -1: no memory. block: below UINT64_MAX. */
int blockset_add(struct blockset *s, uint64_t block);
void blockset_free(struct blockset *s);

#endif
