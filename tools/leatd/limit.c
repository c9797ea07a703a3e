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

static struct limit_entry *find(struct limit_entry *entries, uint64_t name)
{
    for (size_t i = 0; i < LIMIT_NAMES; i++)
        if (entries[i].name == name)
            return &entries[i];
    return NULL;
}

/* A place that is free, or whose window is over; NULL if there is none. */
static struct limit_entry *find_free(struct limit_entry *entries, int64_t now)
{
    for (size_t i = 0; i < LIMIT_NAMES; i++)
        if (!entries[i].name || now - entries[i].since >= LIMIT_WINDOW)
            return &entries[i];
    return NULL;
}

bool limit_take(struct limit *limit, enum limit_kind kind, const char *name, uint32_t most,
                int64_t now)
{
    uint64_t hash = name_of(limit, name);
    struct limit_entry *entry = find(limit->entries[kind], hash);
    if (!entry) {
        entry = find_free(limit->entries[kind], now);
        if (!entry)
            return false;
        entry->name = 0;
    }
    if (!entry->name || now - entry->since >= LIMIT_WINDOW)
        *entry = (struct limit_entry){.name = hash, .since = now};
    if (entry->count >= most)
        return false;
    entry->count++;
    return true;
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
    struct limit_entry *entry = find(limit->entries[kind], name_of(limit, name));
    if (entry)
        entry->name = 0;
}
