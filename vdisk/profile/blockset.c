// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/profile/blockset.h"

#include <stdlib.h>
#include <string.h>

/* The block's place, or the free one where it belongs. */
static uint64_t *find(const struct blockset *s, uint64_t block)
{
    uint32_t i = (uint32_t)((block * 0x9e3779b97f4a7c15ull) >> 32) & s->mask;
    while (s->places[i] && s->places[i] != block + 1)
        i = (i + 1) & s->mask;
    return &s->places[i];
}

bool blockset_has(const struct blockset *s, uint64_t block)
{
    return s->places && *find(s, block);
}

static bool grow(struct blockset *s)
{
    struct blockset larger = {.count = s->count, .mask = s->mask ? s->mask * 2 + 1 : 1023};
    larger.places = calloc((size_t)larger.mask + 1, sizeof *larger.places);
    if (!larger.places)
        return false;
    for (uint32_t i = 0; s->places && i <= s->mask; i++)
        if (s->places[i])
            *find(&larger, s->places[i] - 1) = s->places[i];
    free(s->places);
    *s = larger;
    return true;
}

int blockset_add(struct blockset *s, uint64_t block)
{
    if ((!s->places || s->count > s->mask / 2) && !grow(s)) /* half full at most */
        return -1;
    uint64_t *place = find(s, block);
    if (*place)
        return 1;
    *place = block + 1;
    s->count++;
    return 0;
}

void blockset_free(struct blockset *s)
{
    free(s->places);
    memset(s, 0, sizeof *s);
}
