// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/memory.h"

#include <string.h>

int guest_memory_add(struct guest_memory *memory, gpa_t base, uint64_t size, void *host)
{
    if (!size || !host || base.raw + size < base.raw)
        return LEAT_EINVAL;
    if (memory->count == GUEST_MEMORY_MAX_REGIONS)
        return LEAT_ENOMEM;
    for (unsigned i = 0; i < memory->count; i++) {
        const struct guest_memory_region *r = &memory->regions[i];
        if (base.raw < r->base.raw + r->size && r->base.raw < base.raw + size)
            return LEAT_EINVAL;
    }
    memory->regions[memory->count++] = (struct guest_memory_region){base, size, host};
    return LEAT_OK;
}

void *guest_memory_at(const struct guest_memory *memory, gpa_t at, uint64_t length)
{
    if (!length)
        return NULL;
    for (unsigned i = 0; i < memory->count; i++) {
        const struct guest_memory_region *r = &memory->regions[i];
        uint64_t offset = at.raw - r->base.raw; /* wraps to something huge below the region */
        if (offset < r->size && length <= r->size - offset)
            return r->host + offset;
    }
    return NULL;
}

/* The piece of [at, at + *length) that lies in one region; regions may be neighbours. */
static void *piece_at(const struct guest_memory *memory, gpa_t at, uint64_t *length)
{
    for (unsigned i = 0; i < memory->count; i++) {
        const struct guest_memory_region *r = &memory->regions[i];
        uint64_t offset = at.raw - r->base.raw;
        if (offset >= r->size)
            continue;
        if (*length > r->size - offset)
            *length = r->size - offset;
        return r->host + offset;
    }
    return NULL;
}

bool guest_memory_read(const struct guest_memory *memory, gpa_t at, void *to, uint64_t length)
{
    uint8_t *out = to;
    while (length) {
        uint64_t n = length;
        const void *from = piece_at(memory, at, &n);
        if (!from)
            return false;
        memcpy(out, from, n);
        out += n;
        length -= n;
        at.raw += n;
    }
    return true;
}

bool guest_memory_write(const struct guest_memory *memory, gpa_t at, const void *from,
                        uint64_t length)
{
    const uint8_t *in = from;
    while (length) {
        uint64_t n = length;
        void *to = piece_at(memory, at, &n);
        if (!to)
            return false;
        memcpy(to, in, n);
        in += n;
        length -= n;
        at.raw += n;
    }
    return true;
}
