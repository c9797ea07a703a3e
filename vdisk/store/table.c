// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/store/table.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct slot) == 16, "what store_ram_bytes() promises");

static uint32_t bucket_count(uint32_t slots)
{
    uint32_t buckets = 64;
    while (buckets < slots / 2)
        buckets *= 2;
    return buckets;
}

uint64_t table_ram_bytes(uint32_t count)
{
    return (uint64_t)count * sizeof(struct slot) + (uint64_t)bucket_count(count) * 4 + count / 8 +
           8;
}

bool table_init(struct table *t, uint32_t count, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    t->count = count;
    t->seed = seed | 1;
    t->mask = bucket_count(count) - 1;
    t->slots = calloc(count, sizeof t->slots[0]);
    t->buckets = malloc(((size_t)t->mask + 1) * sizeof t->buckets[0]);
    t->free_bits = calloc((size_t)count / 64 + 1, sizeof t->free_bits[0]);
    if (!t->slots || !t->buckets || !t->free_bits) {
        table_free(t);
        return false;
    }
    memset(t->buckets, 0xff, ((size_t)t->mask + 1) * sizeof t->buckets[0]);
    for (uint32_t i = 0; i < count; i++)
        t->free_bits[i / 64] |= 1ull << i % 64;
    t->in_state[SLOT_FREE] = count;
    return true;
}

void table_free(struct table *t)
{
    free(t->slots);
    free(t->buckets);
    free(t->free_bits);
    memset(t, 0, sizeof *t);
}

struct format_key slot_key(const struct slot *s)
{
    return (struct format_key){.block = s->block,
                               .object = s->object,
                               .mask = s->mask,
                               .is_zero = s->is_zero,
                               .is_group = s->is_group};
}

static uint32_t *bucket(const struct table *t, unsigned object, uint64_t block, bool is_group)
{
    /* Multiplication spreads runs of blocks; the seed is not known to guests. */
    uint64_t key = (block << 8 | object << 1 | is_group) * t->seed;
    key = (key ^ key >> 32) * 0x9e3779b97f4a7c15ull;
    return &t->buckets[key >> 32 & t->mask];
}

uint32_t table_find(const struct table *t, unsigned object, uint64_t block, bool is_group)
{
    uint32_t i = *bucket(t, object, block, is_group);
    while (i != SLOT_NONE) {
        const struct slot *s = &t->slots[i];
        if (s->block == block && s->object == object && s->is_group == is_group)
            break;
        i = s->next;
    }
    return i;
}

void table_set_state(struct table *t, uint32_t index, enum slot_state state)
{
    struct slot *s = &t->slots[index];
    t->in_state[s->state]--;
    t->in_state[state]++;
    s->state = state;
    if (state == SLOT_FREE)
        t->free_bits[index / 64] |= 1ull << index % 64;
    else
        t->free_bits[index / 64] &= ~(1ull << index % 64);
}

static uint32_t next_free(const struct table *t, uint32_t from)
{
    uint32_t words = t->count / 64 + 1;
    for (uint32_t n = 0, word = from / 64; n <= words;
         n++, word = word + 1 == words ? 0 : word + 1) {
        uint64_t bits = t->free_bits[word];
        if (n == 0)
            bits &= ~0ull << from % 64;
        if (bits)
            return word * 64 + (uint32_t)__builtin_ctzll(bits);
    }
    return SLOT_NONE;
}

uint32_t table_take(struct table *t, unsigned object, uint32_t after)
{
    if (t->in_state[SLOT_FREE] == 0)
        return SLOT_NONE;
    uint32_t from = after != SLOT_NONE ? after + 1 : t->next;
    uint32_t index = next_free(t, from < t->count ? from : 0);
    t->next = index + 1;
    t->slots[index].object = object & 0x7f;
    t->held[object]++;
    table_set_state(t, index, SLOT_WRITING);
    return index;
}

void table_map(struct table *t, uint32_t index, const struct format_key *key, uint32_t crc,
               enum slot_state state)
{
    struct slot *s = &t->slots[index];
    if (s->state == SLOT_FREE)
        t->held[key->object]++;
    s->block = key->block & ((1ull << 40) - 1);
    s->object = key->object & 0x7f;
    s->mask = key->mask;
    s->is_zero = key->is_zero;
    s->is_group = key->is_group;
    s->is_bad = false;
    s->uses = 1; /* what has just come is not the first to go, wherever the hand is */
    s->crc = crc;
    uint32_t *head = bucket(t, s->object, s->block, s->is_group);
    s->next = *head;
    *head = index;
    t->mapped[key->object]++;
    table_set_state(t, index, state);
}

void table_unmap(struct table *t, uint32_t index, enum slot_state state)
{
    struct slot *s = &t->slots[index];
    uint32_t *link = bucket(t, s->object, s->block, s->is_group);
    while (*link != index)
        link = &t->slots[*link].next;
    *link = s->next;
    t->mapped[s->object]--;
    table_set_state(t, index, state);
}

void table_release(struct table *t, uint32_t index)
{
    struct slot *s = &t->slots[index];
    t->held[s->object]--;
    table_set_state(t, index, s->is_bad ? SLOT_BAD : SLOT_FREE);
}
