// SPDX-License-Identifier: BSD-2-Clause
/*
 * Doorbells of a guest: I/O port -> notification. A small hash table, so that an OUT to another
 * port costs a few instructions. Host-testable: notifications are only pointers here.
 */
#ifndef KERNEL_DOORBELL_H
#define KERNEL_DOORBELL_H

#include <leat/types.h>

#define DOORBELL_MAX 64u
#define DOORBELL_SLOTS 128u /* a power of two, above DOORBELL_MAX: a search always ends */

struct notif;

struct doorbell {
    uint64_t bits;
    struct notif *notif;
    uint16_t port;
};

struct doorbells {
    uint32_t count;
    uint8_t slot[DOORBELL_SLOTS]; /* index into bell[] + 1; 0: free */
    struct doorbell bell[DOORBELL_MAX];
};

static inline uint32_t doorbell_hash(uint16_t port)
{
    return (port ^ port >> 7) % DOORBELL_SLOTS;
}

static inline struct doorbell *doorbell_find(struct doorbells *bells, uint16_t port)
{
    for (uint32_t at = doorbell_hash(port); bells->slot[at]; at = (at + 1) % DOORBELL_SLOTS)
        if (bells->bell[bells->slot[at] - 1].port == port)
            return &bells->bell[bells->slot[at] - 1];
    return NULL;
}

/* Sets, replaces, or with notif NULL removes. *old gets the notification that was there, or NULL.
   LEAT_ENOMEM: DOORBELL_MAX reached. LEAT_ENOENT: none to remove. */
int doorbell_set(struct doorbells *bells, uint16_t port, struct notif *notif, uint64_t bits,
                 struct notif **old);

#endif
