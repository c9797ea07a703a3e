// SPDX-License-Identifier: BSD-2-Clause
/*
 * All leases: a list, three tables of lists by what they are looked for, and a heap by the time of their renewal, which is
 * the place of a lease in an array: none of a lease's children (2i + 1, 2i + 2) is due before it.
 */
#include "tools/nbdkit-leat/lease_inside.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u

struct lease_table lease_table = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .changed = PTHREAD_COND_INITIALIZER,
                                  .due = PTHREAD_COND_INITIALIZER};

static struct lease *buckets[LEASE_KEYS][BUCKETS];
static struct lease **heap;
static unsigned room;

static const char *text_of(const struct lease *lease, enum lease_key key)
{
    return key == LEASE_BY_TOKEN  ? lease->token
           : key == LEASE_BY_NAME ? lease->grant.lease
                                  : lease->grant.difference;
}

static struct lease **bucket_of(enum lease_key key, const char *text)
{
    uint32_t hash = 5381;
    for (; *text; text++)
        hash = hash * 33 + (unsigned char)*text;
    return &buckets[key][hash % BUCKETS];
}

/* Where the lease is linked, or is to be; NULL: nowhere, nobody looks for nothing. */
static struct lease **link_of(const struct lease *lease, enum lease_key key)
{
    const char *text = text_of(lease, key);
    return *text ? bucket_of(key, text) : NULL;
}

static struct lease *with(struct lease *lease, enum lease_key key, const char *text)
{
    while (lease && strcmp(text_of(lease, key), text))
        lease = lease->same[key];
    return lease;
}

struct lease *lease_table_find(enum lease_key key, const char *text)
{
    return *text ? with(*bucket_of(key, text), key, text) : NULL;
}

struct lease *lease_table_next(enum lease_key key, const struct lease *lease)
{
    return with(lease->same[key], key, text_of(lease, key));
}

static void put(unsigned place, struct lease *lease)
{
    heap[place] = lease;
    lease->place = place;
}

/* To where it belongs; all others are. */
static void settle(struct lease *lease)
{
    unsigned at = lease->place, count = lease_table.count;
    for (; at && heap[(at - 1) / 2]->renew_at > lease->renew_at; at = (at - 1) / 2)
        put(at, heap[(at - 1) / 2]);
    for (unsigned child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1]->renew_at < heap[child]->renew_at)
            child++;
        if (heap[child]->renew_at >= lease->renew_at)
            break;
        put(at, heap[child]);
    }
    put(at, lease);
}

void lease_due_at(struct lease *lease, int64_t when)
{
    lease->renew_at = when;
    settle(lease);
}

struct lease *lease_due(int64_t now)
{
    return lease_table.count && heap[0]->renew_at <= now ? heap[0] : NULL;
}

void lease_all_due(void)
{
    for (struct lease *l = lease_table.first; l; l = l->next)
        l->renew_at = 0;
}

static bool make_room(void)
{
    if (lease_table.count < room)
        return true;
    unsigned more = room ? 2 * room : 64;
    struct lease **larger = reallocarray(heap, more, sizeof *heap);
    if (!larger)
        return false;
    heap = larger;
    room = more;
    return true;
}

bool lease_table_add(struct lease *lease)
{
    if (lease_table.count >= lease_table.most || !make_room())
        return false;
    lease->next = lease_table.first;
    lease->at = &lease_table.first;
    if (lease->next)
        lease->next->at = &lease->next;
    lease_table.first = lease;
    for (enum lease_key key = 0; key < LEASE_KEYS; key++) {
        struct lease **bucket = link_of(lease, key);
        if (!bucket)
            continue;
        lease->same[key] = *bucket;
        *bucket = lease;
    }
    put(lease_table.count++, lease);
    settle(lease);
    return true;
}

void lease_table_remove(struct lease *lease)
{
    *lease->at = lease->next;
    if (lease->next)
        lease->next->at = lease->at;
    for (enum lease_key key = 0; key < LEASE_KEYS; key++) {
        struct lease **at = link_of(lease, key);
        while (at && *at != lease)
            at = &(*at)->same[key];
        if (at)
            *at = lease->same[key];
    }
    struct lease *last = heap[--lease_table.count];
    if (last == lease)
        return;
    put(lease->place, last);
    settle(last);
}
