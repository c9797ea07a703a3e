// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/limit.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static uint64_t name_of(const struct limit *limit, const char *name)
{
    uint64_t hash = mix(limit->key[0]);
    for (; *name; name++)
        hash = mix((hash ^ (uint8_t)*name) + limit->key[1]);
    return hash ? hash : 1;
}

static bool is_over(const struct limit_entry *entry, int64_t now)
{
    return !entry->name || now - entry->since >= LIMIT_WINDOW;
}

/*
 * The name's entry; else a place for it, which was never used or whose window is over; else NULL. Names are looked for from where
 * their hash says up to a place that was never used: no place becomes so again, and most are found at once in a large table.
 */
static struct limit_entry *find(struct limit *limit, enum limit_kind kind, uint64_t name,
                                int64_t now)
{
    bool is_client = kind < LIMIT_CLIENT_KINDS;
    struct limit_entry *entries =
        is_client ? limit->clients[kind] : limit->others[kind - LIMIT_CLIENT_KINDS];
    size_t most = is_client ? LIMIT_CLIENTS : LIMIT_NAMES;
    struct limit_entry *place = NULL;
    for (size_t i = 0; i < most; i++) {
        struct limit_entry *entry = &entries[(name + i) % most];
        if (entry->name == name)
            return entry;
        if (!place && is_over(entry, now))
            place = entry;
        if (!entry->name)
            break;
    }
    return place;
}

bool limit_take(struct limit *limit, enum limit_kind kind, const char *name, uint32_t most,
                int64_t now)
{
    uint64_t hash = name_of(limit, name);
    struct limit_entry *entry = find(limit, kind, hash, now);
    if (!entry)
        return false;
    if (is_over(entry, now))
        *entry = (struct limit_entry){.name = hash, .since = now};
    if (entry->count >= most)
        return false;
    entry->count++;
    if (limit->take_count < LIMIT_TAKES)
        limit->takes[limit->take_count++] = (struct limit_taking){kind, entry};
    return true;
}

void limit_begin(struct limit *limit)
{
    limit->take_count = 0;
}

void limit_undo(struct limit *limit, enum limit_kind from)
{
    for (unsigned i = 0; i < limit->take_count; i++)
        if (limit->takes[i].kind >= from && limit->takes[i].entry->count)
            limit->takes[i].entry->count--;
    limit->take_count = 0;
}

void limit_network(char network[INET6_ADDRSTRLEN], const char *address)
{
    struct in6_addr six;
    snprintf(network, INET6_ADDRSTRLEN, "%s", address);
    if (inet_pton(AF_INET6, address, &six) != 1)
        return;
    memset(&six.s6_addr[8], 0, 8); // RFC 4291, section 2.5.1: the interface's half
    inet_ntop(AF_INET6, &six, network, INET6_ADDRSTRLEN);
}

bool limit_take_address(struct limit *limit, enum limit_kind kind, const char *address,
                        uint32_t most, int64_t now)
{
    char network[INET6_ADDRSTRLEN];
    limit_network(network, address);
    return limit_take(limit, kind, network, most, now);
}

void limit_clear(struct limit *limit, enum limit_kind kind, const char *name)
{
    uint64_t hash = name_of(limit, name);
    struct limit_entry *entry = find(limit, kind, hash, 0);
    if (entry && entry->name == hash)
        entry->since = INT64_MIN / 2; // so its window is over
}
