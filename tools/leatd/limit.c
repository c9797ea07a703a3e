// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/limit.h"

#include <stddef.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static uint64_t name_of(const struct limit *limit, char kind, const char *name)
{
    uint64_t hash = mix(limit->key[0] + (uint8_t)kind);
    for (; *name; name++)
        hash = mix((hash ^ (uint8_t)*name) + limit->key[1]);
    return hash ? hash : 1;
}

static struct limit_entry *find(struct limit *limit, uint64_t name)
{
    for (size_t i = 0; i < LIMIT_NAMES; i++)
        if (limit->entries[i].name == name)
            return &limit->entries[i];
    return NULL;
}

static struct limit_entry *oldest(struct limit *limit)
{
    struct limit_entry *best = limit->entries;
    for (size_t i = 0; i < LIMIT_NAMES && best->name; i++)
        if (!limit->entries[i].name || limit->entries[i].since < best->since)
            best = &limit->entries[i];
    return best;
}

bool limit_take(struct limit *limit, char kind, const char *name, uint32_t most, int64_t now)
{
    uint64_t hash = name_of(limit, kind, name);
    struct limit_entry *entry = find(limit, hash);
    if (!entry) {
        entry = oldest(limit);
        *entry = (struct limit_entry){.name = hash, .since = now};
    }
    if (now - entry->since >= LIMIT_WINDOW)
        *entry = (struct limit_entry){.name = hash, .since = now};
    if (entry->count >= most)
        return false;
    entry->count++;
    return true;
}

void limit_clear(struct limit *limit, char kind, const char *name)
{
    struct limit_entry *entry = find(limit, name_of(limit, kind, name));
    if (entry)
        entry->name = 0;
}
