// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/nested.h"

enum { LEVELS = 4u, ENTRIES = 512u, TAG_SHIFT = 52 };

#define EPT_RIGHTS 7ull            /* read, write, execute: SDM vol. 3, table 29-7 */
#define EPT_WRITE_BACK (6ull << 3) /* bits 5:3 */
/* The guest's PAT is ignored: its RAM is ordinary host memory, and a guest that could make parts of
   it uncacheable would slow down everybody and see stale data of ours. */
#define EPT_IGNORE_PAT (1ull << 6)
const struct nested_format nested_ept = {.present = EPT_RIGHTS,
                                         .table = EPT_RIGHTS,
                                         .leaf = 1 | EPT_WRITE_BACK | EPT_IGNORE_PAT,
                                         .write = 2,
                                         .exec = 4};

/* Ordinary entries, AMD APM vol. 2, 5.3.3: present, writable, user (all accesses of a guest are user's, 15.25.5),
   no-execute; write-back by entry 0 of the host's PAT. */
const struct nested_format nested_npt = {
    .present = 1, .table = 7, .leaf = 5, .write = 2, .no_exec = 1ull << 63};

static uint64_t span(unsigned level)
{
    return 1ull << (12 + 9 * (level - 1)); /* bytes that one entry of that level covers */
}

static unsigned slot(uint64_t gpa, unsigned level)
{
    return (gpa / span(level)) % ENTRIES;
}

static bool is_present(const struct nested *n, uint64_t entry)
{
    return entry & n->format->present;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & NESTED_LARGE);
}

static uint64_t *table_of(uint64_t entry)
{
    return nested_frame_at(entry & NESTED_ADDRESS);
}

int nested_init(struct nested *n)
{
    return nested_frame_new(n, &n->root_hpa) ? LEAT_OK : LEAT_ENOMEM;
}

static void free_tables(struct nested *n, uint64_t hpa, unsigned level)
{
    const uint64_t *table = nested_frame_at(hpa);
    for (unsigned i = 0; i < ENTRIES && level > 1; i++)
        if (is_present(n, table[i]) && !is_leaf(table[i], level))
            free_tables(n, table[i] & NESTED_ADDRESS, level - 1);
    nested_frame_free(n, hpa);
}

void nested_free_tables(struct nested *n)
{
    if (n->root_hpa)
        free_tables(n, n->root_hpa, LEVELS);
    n->root_hpa = 0;
}

/* The entry for gpa at the lowest level that has one, not below `level`. */
static uint64_t *descend(const struct nested *n, uint64_t gpa, unsigned level, unsigned *found)
{
    uint64_t *table = nested_frame_at(n->root_hpa);
    for (unsigned at = LEVELS;; at--) {
        uint64_t *entry = &table[slot(gpa, at)];
        if (at == level || !is_present(n, *entry) || is_leaf(*entry, at)) {
            *found = at;
            return entry;
        }
        table = table_of(*entry);
    }
}

uint64_t nested_find(const struct nested *n, uint64_t gpa, unsigned *level)
{
    uint64_t entry = *descend(n, gpa, 1, level);
    return is_present(n, entry) ? entry : 0;
}

static bool is_range_free(const struct nested *n, uint64_t gpa, uint64_t size)
{
    for (uint64_t end = gpa + size; gpa < end;) {
        unsigned level;
        if (nested_find(n, gpa, &level))
            return false;
        gpa = (gpa | (span(level) - 1)) + 1;
    }
    return true;
}

/* Makes the tables above gpa's entry of `level`. NULL: no memory. */
static uint64_t *make_path(struct nested *n, uint64_t gpa, unsigned level)
{
    for (;;) {
        unsigned found;
        uint64_t *entry = descend(n, gpa, level, &found);
        if (found == level)
            return entry;
        uint64_t hpa;
        if (!nested_frame_new(n, &hpa))
            return NULL;
        *entry = hpa | n->format->table; /* the leaf alone decides */
    }
}

/* The level of the largest leaf that may be put at gpa. A table that is there already, perhaps
   empty, stays: freeing it is not worth the trouble. */
static unsigned leaf_level(const struct nested *n, uint64_t gpa, uint64_t hpa, uint64_t size)
{
    for (unsigned level = n->max_level; level > 1; level--) {
        unsigned found;
        if (((gpa | hpa) & (span(level) - 1)) || size < span(level))
            continue;
        if (!is_present(n, *descend(n, gpa, level, &found)))
            return level;
    }
    return 1;
}

int nested_map(struct nested *n, gpa_t at, hpa_t to, uint64_t size, uint32_t prot, unsigned tag)
{
    const struct nested_format *f = n->format;
    uint64_t flags = f->leaf | (uint64_t)tag << TAG_SHIFT |
                     (prot & LEAT_PROT_WRITE ? f->write : 0) |
                     (prot & LEAT_PROT_EXEC ? f->exec : f->no_exec);
    if (!is_range_free(n, at.raw, size))
        return LEAT_EBUSY;
    for (uint64_t done = 0; done < size;) {
        unsigned level = leaf_level(n, at.raw + done, to.raw + done, size - done);
        uint64_t *entry = make_path(n, at.raw + done, level);
        if (!entry) {
            uint64_t ignored[NESTED_TAG_NUMBERS] = {0};
            nested_unmap(n, at, done, ignored); /* whole pages as just made: no split, no failure */
            return LEAT_ENOMEM;
        }
        *entry = (to.raw + done) | flags | (level > 1 ? NESTED_LARGE : 0);
        done += span(level);
    }
    return LEAT_OK;
}

/* Makes gpa a boundary between leaves. */
static bool split_at(struct nested *n, uint64_t gpa)
{
    for (;;) {
        unsigned level;
        uint64_t *entry = descend(n, gpa, 1, &level);
        uint64_t old = *entry;
        if (!is_present(n, old) || !(gpa & (span(level) - 1)))
            return true;
        uint64_t hpa;
        if (!nested_frame_new(n, &hpa))
            return false;
        uint64_t *table = nested_frame_at(hpa);
        uint64_t piece = level - 1 > 1 ? old : old & ~NESTED_LARGE;
        for (unsigned i = 0; i < ENTRIES; i++)
            table[i] = piece + i * span(level - 1);
        *entry = hpa | n->format->table;
    }
}

int nested_unmap(struct nested *n, gpa_t at, uint64_t size, uint64_t pages[NESTED_TAG_NUMBERS])
{
    uint64_t gpa = at.raw, end = gpa + size;
    if (!split_at(n, gpa) || !split_at(n, end))
        return LEAT_ENOMEM;
    while (gpa < end) {
        unsigned level;
        uint64_t *entry = descend(n, gpa, 1, &level);
        if (is_present(n, *entry)) {
            pages[(*entry >> TAG_SHIFT) % NESTED_TAG_NUMBERS] += span(level) / LEAT_PAGE_SIZE;
            *entry = 0;
        }
        gpa = (gpa | (span(level) - 1)) + 1;
    }
    return LEAT_OK;
}
