// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/diff_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct diff_map_page {
    struct diff_map_page *next;
    uint64_t number, sequence;
    unsigned copy; /* the one that holds this sequence; the next goes to the other */
    bool is_dirty, is_damaged;
    bool is_leaving; /* being written: the file's copy may be torn, so this one must stay */
    uint8_t bytes[DIFF_PAGE];
};

static uint64_t place(uint64_t number, unsigned copy)
{
    return DIFF_MAP_AT + (2 * number + copy) * DIFF_PAGE;
}

void diff_map_init(struct diff_map *map, const struct diff_device *device, uint64_t id,
                   uint64_t blocks, bool was_cut)
{
    memset(map, 0, sizeof *map);
    map->device = *device;
    map->id = id;
    map->blocks = blocks;
    map->was_cut = was_cut;
    pthread_mutex_init(&map->lock, NULL);
}

void diff_map_free(struct diff_map *map)
{
    for (unsigned i = 0; i < MAP_BUCKETS; i++)
        for (struct diff_map_page *page = map->buckets[i], *next; page; page = next) {
            next = page->next;
            free(page);
        }
    pthread_mutex_destroy(&map->lock);
}

/* Reads both copies; the one that counts is in *page. Returns what they are, -errno if they
   cannot be read. */
static int read_copies(struct diff_map *map, struct diff_map_page *page, enum diff_copy kinds[2])
{
    uint8_t copies[2][DIFF_PAGE];
    uint64_t sequences[2] = {0, 0};
    int error =
        map->device.read(map->device.context, copies, sizeof copies, place(page->number, 0));
    if (error)
        return error;
    for (unsigned i = 0; i < 2; i++)
        kinds[i] = diff_page_check(copies[i], map->id, page->number, &sequences[i]);
    if (kinds[0] == DIFF_COPY_GOOD || kinds[1] == DIFF_COPY_GOOD) {
        page->copy = kinds[0] != DIFF_COPY_GOOD ||
                     (kinds[1] == DIFF_COPY_GOOD && sequences[1] > sequences[0]);
        page->sequence = sequences[page->copy];
        memcpy(page->bytes, copies[page->copy], DIFF_PAGE);
    } else {
        page->copy =
            kinds[0] == DIFF_COPY_BAD; /* the next write goes to the other: the damaged one */
        page->sequence = 0;
        memset(page->bytes, 0, DIFF_PAGE);
    }
    return 0;
}

static bool both_bad(const enum diff_copy kinds[2])
{
    return kinds[0] == DIFF_COPY_BAD && kinds[1] == DIFF_COPY_BAD;
}

static bool any_bad(const enum diff_copy kinds[2])
{
    return kinds[0] == DIFF_COPY_BAD || kinds[1] == DIFF_COPY_BAD;
}

static void evict(struct diff_map *map)
{
    for (unsigned i = 0; i < MAP_BUCKETS && map->kept > MAP_PAGES_KEPT; i++)
        for (struct diff_map_page **at = &map->buckets[i]; *at;) {
            struct diff_map_page *page = *at;
            if (page->is_dirty || page->is_leaving || map->kept <= MAP_PAGES_KEPT) {
                at = &page->next;
                continue;
            }
            *at = page->next;
            map->kept--;
            free(page);
        }
}

/* The page in memory. NULL: *error says why. Called with the lock. */
static struct diff_map_page *find(struct diff_map *map, uint64_t number, int *error)
{
    struct diff_map_page **bucket = &map->buckets[number % MAP_BUCKETS], *page;
    for (page = *bucket; page; page = page->next)
        if (page->number == number)
            break;
    if (!page) {
        enum diff_copy kinds[2];
        page = calloc(1, sizeof *page);
        *error = page ? 0 : -ENOMEM;
        if (!page)
            return NULL;
        page->number = number;
        *error = read_copies(map, page, kinds);
        if (*error) {
            free(page);
            return NULL;
        }
        page->is_damaged = both_bad(kinds) || (any_bad(kinds) && !map->was_cut);
        map->kept++;
        evict(map);
        page->next = *bucket;
        *bucket = page;
    }
    *error = page->is_damaged ? -EIO : 0;
    return page->is_damaged ? NULL : page;
}

static enum diff_state state_at(const uint8_t *states, uint64_t index)
{
    return states[index / 4] >> 2 * (index % 4) & 3;
}

int64_t diff_map_run(struct diff_map *map, uint64_t block, uint64_t limit, enum diff_state *state)
{
    int error;
    pthread_mutex_lock(&map->lock);
    struct diff_map_page *page = find(map, block / DIFF_PAGE_BLOCKS, &error);
    int64_t run = error;
    if (page) {
        const uint8_t *states = page->bytes + DIFF_STATES_AT;
        uint64_t index = block % DIFF_PAGE_BLOCKS, end = index + limit;
        if (end > DIFF_PAGE_BLOCKS)
            end = DIFF_PAGE_BLOCKS;
        *state = state_at(states, index);
        uint64_t at = index + 1;
        while (at < end && state_at(states, at) == *state)
            at++;
        run = (int64_t)(at - index);
    }
    pthread_mutex_unlock(&map->lock);
    return run;
}

static void set_states(struct diff_map *map, struct diff_map_page *page, uint64_t index,
                       uint64_t count, enum diff_state state)
{
    uint8_t *states = page->bytes + DIFF_STATES_AT;
    for (; count; index++, count--) {
        if (state_at(states, index) == state)
            continue;
        unsigned shift = 2 * (index % 4);
        states[index / 4] = (uint8_t)((states[index / 4] & ~(3u << shift)) | state << shift);
        map->dirty += !page->is_dirty;
        page->is_dirty = true;
    }
}

int diff_map_set(struct diff_map *map, uint64_t block, uint64_t count, enum diff_state state)
{
    int error = 0;
    pthread_mutex_lock(&map->lock);
    while (count && !error) {
        uint64_t index = block % DIFF_PAGE_BLOCKS, n = DIFF_PAGE_BLOCKS - index;
        if (n > count)
            n = count;
        struct diff_map_page *page = find(map, block / DIFF_PAGE_BLOCKS, &error);
        if (page)
            set_states(map, page, index, n, state);
        block += n;
        count -= n;
    }
    pthread_mutex_unlock(&map->lock);
    return error;
}

unsigned diff_map_dirty(struct diff_map *map)
{
    pthread_mutex_lock(&map->lock);
    unsigned dirty = map->dirty;
    pthread_mutex_unlock(&map->lock);
    return dirty;
}

struct snapshot {
    uint64_t place;
    uint8_t bytes[DIFF_PAGE];
};

/* Copies of the pages that have changed, sealed; from now on they count as unchanged. What is set later
   belongs to the next commit, because its data may come behind this one's first sync. */
static struct snapshot *take_dirty(struct diff_map *map, unsigned *count)
{
    struct snapshot *taken = NULL;
    pthread_mutex_lock(&map->lock);
    *count = 0;
    if (map->dirty)
        taken = calloc(map->dirty, sizeof *taken);
    for (unsigned i = 0; taken && i < MAP_BUCKETS; i++)
        for (struct diff_map_page *page = map->buckets[i]; page; page = page->next) {
            if (!page->is_dirty)
                continue;
            page->is_dirty = false;
            page->is_leaving = true;
            page->copy ^= 1;
            diff_page_seal(page->bytes, map->id, page->number, ++page->sequence);
            taken[*count].place = place(page->number, page->copy);
            memcpy(taken[(*count)++].bytes, page->bytes, DIFF_PAGE);
        }
    if (taken)
        map->dirty = 0;
    else if (map->dirty)
        *count = 1; /* no memory: the caller sees that nothing was taken */
    pthread_mutex_unlock(&map->lock);
    return taken;
}

static void all_written(struct diff_map *map)
{
    pthread_mutex_lock(&map->lock);
    for (unsigned i = 0; i < MAP_BUCKETS; i++)
        for (struct diff_map_page *page = map->buckets[i]; page; page = page->next)
            page->is_leaving = false;
    pthread_mutex_unlock(&map->lock);
}

int diff_map_commit(struct diff_map *map)
{
    unsigned count;
    struct snapshot *taken = take_dirty(map, &count);
    if (count && !taken)
        return -ENOMEM;
    int error = map->device.sync(map->device.context);
    for (unsigned i = 0; i < count && !error; i++)
        error = map->device.write(map->device.context, taken[i].bytes, DIFF_PAGE, taken[i].place);
    if (count && !error)
        error = map->device.sync(map->device.context);
    if (!error)
        all_written(map);
    free(taken);
    return error;
}

static void count_states(struct diff_map *map, const struct diff_map_page *page,
                         struct diff_map_look *look)
{
    uint64_t first = page->number * DIFF_PAGE_BLOCKS, count = map->blocks - first;
    if (count > DIFF_PAGE_BLOCKS)
        count = DIFF_PAGE_BLOCKS;
    for (uint64_t i = 0; i < count; i++) {
        enum diff_state state = state_at(page->bytes + DIFF_STATES_AT, i);
        look->data += state == DIFF_DATA;
        look->zero += state == DIFF_ZERO;
    }
}

/* The bad copy gets what counts: the other's content, or an empty page. */
static int mend_page(struct diff_map *map, struct diff_map_page *page, unsigned bad)
{
    if (!page->sequence)
        diff_page_seal(page->bytes, map->id, page->number, page->sequence = 1);
    return map->device.write(map->device.context, page->bytes, DIFF_PAGE, place(page->number, bad));
}

int diff_map_look(struct diff_map *map, bool mend, struct diff_map_look *look)
{
    struct diff_map_page page;
    uint64_t pages = (map->blocks + DIFF_PAGE_BLOCKS - 1) / DIFF_PAGE_BLOCKS;
    int error = 0;
    memset(look, 0, sizeof *look);
    for (uint64_t number = 0; number < pages && !error; number++) {
        enum diff_copy kinds[2];
        page.number = number;
        error = read_copies(map, &page, kinds);
        if (error)
            break;
        if (both_bad(kinds) || (any_bad(kinds) && !map->was_cut)) {
            look->first_damaged = look->damaged++ ? look->first_damaged : number;
            continue;
        }
        count_states(map, &page, look);
        look->cut += any_bad(kinds);
        if (mend && any_bad(kinds))
            error = mend_page(map, &page, kinds[1] == DIFF_COPY_BAD);
    }
    if (!error && mend && look->cut)
        error = map->device.sync(map->device.context);
    return error;
}
