// SPDX-License-Identifier: BSD-2-Clause
/* The guest's RAM as its VMM sees it. Portable; tested on the host. */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <leat/types.h>

#define GUEST_MEMORY_MAX_REGIONS 8

struct guest_memory_region {
    gpa_t base;
    uint64_t size; /* bytes */
    uint8_t *host; /* where the VMM has it mapped */
};

struct guest_memory {
    unsigned count;
    struct guest_memory_region regions[GUEST_MEMORY_MAX_REGIONS];
};

/* Adds RAM; regions must not overlap. LEAT_EINVAL, LEAT_ENOMEM. */
int guest_memory_add(struct guest_memory *memory, gpa_t base, uint64_t size, void *host);

/* Pointer to [at, at + length) if it lies wholly inside one region, else NULL. length 0: NULL.
   Never overflows. What it points to is the guest's to change at any time: copy, check, use. */
void *guest_memory_at(const struct guest_memory *memory, gpa_t at, uint64_t length);

/* Copies; false (and nothing, or only a part, copied) when any byte is outside RAM. */
bool guest_memory_read(const struct guest_memory *memory, gpa_t at, void *to, uint64_t length);
bool guest_memory_write(const struct guest_memory *memory, gpa_t at, const void *from,
                        uint64_t length);

#endif
