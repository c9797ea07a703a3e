// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/vmx/ept.h"

#define EPT_LEVELS 4u
#define EPT_ENTRIES 512u
#define EPT_LARGE (1ull << 7)      /* leaf above level 1 */
#define EPT_WRITE_BACK (6ull << 3) /* SDM vol. 3, table 29-6, bits 5:3 */
/* The guest's PAT is ignored: its RAM is ordinary host memory, and a guest that could make parts of
   it uncacheable would slow down everybody and see stale data of ours. */
#define EPT_IGNORE_PAT (1ull << 6)
#define EPT_ADDRESS 0x000ffffffffff000ull
#define EPT_TAG_SHIFT 52

static uint64_t span(unsigned level)
{
    return 1ull << (12 + 9 * (level - 1)); /* bytes that one entry of that level covers */
}

static unsigned slot(uint64_t gpa, unsigned level)
{
    return (gpa / span(level)) % EPT_ENTRIES;
}

static bool is_present(uint64_t entry)
{
    return entry & EPT_RIGHTS;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & EPT_LARGE);
}

static uint64_t *table_of(uint64_t entry)
{
    return ept_frame_at(entry & EPT_ADDRESS);
}

int ept_init(struct ept *ept)
{
    return ept_frame_new(ept, &ept->root_hpa) ? LEAT_OK : LEAT_ENOMEM;
}

static void free_tables(struct ept *ept, uint64_t hpa, unsigned level)
{
    const uint64_t *table = ept_frame_at(hpa);
    for (unsigned i = 0; i < EPT_ENTRIES && level > 1; i++)
        if (is_present(table[i]) && !is_leaf(table[i], level))
            free_tables(ept, table[i] & EPT_ADDRESS, level - 1);
    ept_frame_free(ept, hpa);
}

void ept_destroy(struct ept *ept)
{
    if (ept->root_hpa)
        free_tables(ept, ept->root_hpa, EPT_LEVELS);
    ept->root_hpa = 0;
}

/* The entry for gpa at the lowest level that has one, not below `level`. */
static uint64_t *descend(const struct ept *ept, uint64_t gpa, unsigned level, unsigned *found)
{
    uint64_t *table = ept_frame_at(ept->root_hpa);
    for (unsigned at = EPT_LEVELS;; at--) {
        uint64_t *entry = &table[slot(gpa, at)];
        if (at == level || !is_present(*entry) || is_leaf(*entry, at)) {
            *found = at;
            return entry;
        }
        table = table_of(*entry);
    }
}

uint64_t ept_find(const struct ept *ept, uint64_t gpa, unsigned *level)
{
    uint64_t entry = *descend(ept, gpa, 1, level);
    return is_present(entry) ? entry : 0;
}

static bool is_range_free(const struct ept *ept, uint64_t gpa, uint64_t size)
{
    for (uint64_t end = gpa + size; gpa < end;) {
        unsigned level;
        if (ept_find(ept, gpa, &level))
            return false;
        gpa = (gpa | (span(level) - 1)) + 1;
    }
    return true;
}

/* Makes the tables above gpa's entry of `level`. NULL: no memory. */
static uint64_t *make_path(struct ept *ept, uint64_t gpa, unsigned level)
{
    for (;;) {
        unsigned found;
        uint64_t *entry = descend(ept, gpa, level, &found);
        if (found == level)
            return entry;
        uint64_t hpa;
        if (!ept_frame_new(ept, &hpa))
            return NULL;
        *entry = hpa | EPT_RIGHTS; /* the leaf alone decides */
    }
}

/* The level of the largest leaf that may be put at gpa. A table that is there already, perhaps
   empty, stays: freeing it is not worth the trouble. */
static unsigned leaf_level(const struct ept *ept, uint64_t gpa, uint64_t hpa, uint64_t size)
{
    for (unsigned level = ept->max_level; level > 1; level--) {
        unsigned found;
        if (((gpa | hpa) & (span(level) - 1)) || size < span(level))
            continue;
        if (!is_present(*descend(ept, gpa, level, &found)))
            return level;
    }
    return 1;
}

int ept_map(struct ept *ept, uint64_t gpa, uint64_t hpa, uint64_t size, uint64_t rights,
            unsigned tag)
{
    if (!is_range_free(ept, gpa, size))
        return LEAT_EBUSY;
    for (uint64_t done = 0; done < size;) {
        unsigned level = leaf_level(ept, gpa + done, hpa + done, size - done);
        uint64_t *entry = make_path(ept, gpa + done, level);
        if (!entry) {
            uint64_t ignored[EPT_TAGS] = {0};
            ept_unmap(ept, gpa, done, ignored); /* whole pages as just made: no split, no failure */
            return LEAT_ENOMEM;
        }
        *entry = (hpa + done) | rights | EPT_WRITE_BACK | EPT_IGNORE_PAT |
                 ((uint64_t)tag << EPT_TAG_SHIFT) | (level > 1 ? EPT_LARGE : 0);
        done += span(level);
    }
    return LEAT_OK;
}

/* Makes gpa a boundary between leaves. */
static bool split_at(struct ept *ept, uint64_t gpa)
{
    for (;;) {
        unsigned level;
        uint64_t *entry = descend(ept, gpa, 1, &level);
        uint64_t old = *entry;
        if (!is_present(old) || !(gpa & (span(level) - 1)))
            return true;
        uint64_t hpa;
        if (!ept_frame_new(ept, &hpa))
            return false;
        uint64_t *table = ept_frame_at(hpa);
        uint64_t piece = level - 1 > 1 ? old : old & ~EPT_LARGE;
        for (unsigned i = 0; i < EPT_ENTRIES; i++)
            table[i] = piece + i * span(level - 1);
        *entry = hpa | EPT_RIGHTS;
    }
}

int ept_unmap(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t pages[EPT_TAGS])
{
    uint64_t end = gpa + size;
    if (!split_at(ept, gpa) || !split_at(ept, end))
        return LEAT_ENOMEM;
    while (gpa < end) {
        unsigned level;
        uint64_t *entry = descend(ept, gpa, 1, &level);
        if (is_present(*entry)) {
            pages[(*entry >> EPT_TAG_SHIFT) % EPT_TAGS] += span(level) / LEAT_PAGE_SIZE;
            *entry = 0;
        }
        gpa = (gpa | (span(level) - 1)) + 1;
    }
    return LEAT_OK;
}
