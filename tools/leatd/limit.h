// SPDX-License-Identifier: BSD-2-Clause
/* How often something may happen in a minute, for each of many names (addresses, accounts). */
#ifndef LEATD_LIMIT_H
#define LEATD_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_NAMES 1024u
#define LIMIT_WINDOW 60 /* seconds */

struct limit_entry {
    uint64_t name; /* keyed hash of it; 0: free */
    int64_t since; /* seconds, of a clock that never goes back */
    uint32_t count;
};

/* All zeros but key, which is random: so nobody outside can make names that fall together. */
struct limit {
    uint64_t key[2];
    struct limit_entry entries[LIMIT_NAMES];
};

/*
 * One more of kind for that name: true if it is among the first `most` since the window began. When there are more names
 * than places, the one whose window is oldest makes way.
 */
bool limit_take(struct limit *limit, char kind, const char *name, uint32_t most, int64_t now);

/* Takes the count back: the attempt was a good one. */
void limit_clear(struct limit *limit, char kind, const char *name);

#endif
