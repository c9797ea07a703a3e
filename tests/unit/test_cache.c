// SPDX-License-Identifier: BSD-2-Clause
/* vdisk's RAM cache: bounded, keeps what is read again, follows changes, forgets what became stale. */
#include "vdisk/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BYTES (2u << 20) /* the smallest cache: 512 blocks */
#define COUNT (BYTES / CACHE_BLOCK_BYTES)

static int setup(void **state)
{
    static struct cache cache;
    *state = &cache;
    return cache_init(&cache, BYTES) ? 0 : -1;
}

static int teardown(void **state)
{
    cache_free(*state);
    return 0;
}

static uint32_t put(struct cache *c, uint32_t export_id, uint64_t block)
{
    uint32_t i = cache_claim(c, export_id, block, NULL);
    assert_int_not_equal(i, CACHE_NONE);
    memset(cache_data(c, i), (int)(block & 0xff), CACHE_BLOCK_BYTES);
    cache_fill(c, i, CACHE_DEMAND);
    return i;
}

static void finds_by_export_and_block(void **state)
{
    struct cache *c = *state;
    uint32_t one = put(c, 1, 7), two = put(c, 2, 7);
    assert_int_not_equal(one, two);
    assert_int_equal(cache_find(c, 1, 7), one);
    assert_int_equal(cache_find(c, 2, 7), two);
    assert_int_equal(cache_find(c, 1, 8), CACHE_NONE);
    assert_int_equal((uintptr_t)cache_data(c, one) % CACHE_BLOCK_BYTES, 0);
}

static void is_bounded_and_gives_the_newest(void **state)
{
    struct cache *c = *state;
    for (uint64_t block = 0; block < 10 * COUNT; block++)
        put(c, 1, block);
    unsigned found = 0;
    for (uint64_t block = 0; block < 10 * COUNT; block++) {
        uint32_t i = cache_find(c, 1, block);
        if (i == CACHE_NONE)
            continue;
        found++;
        assert_int_equal(cache_data(c, i)[100], block & 0xff);
    }
    assert_int_equal(found, COUNT);
    assert_int_not_equal(cache_find(c, 1, 10 * COUNT - 1), CACHE_NONE);
}

static void a_scan_leaves_what_is_read_again(void **state)
{
    struct cache *c = *state;
    for (uint64_t block = 0; block < 100; block++) {
        uint32_t i = put(c, 1, block);
        cache_touch(c, i);
    }
    for (uint64_t block = 1000; block < 1000 + COUNT; block++) /* each once */
        put(c, 1, block);
    for (uint64_t block = 0; block < 100; block++)
        assert_int_not_equal(cache_find(c, 1, block), CACHE_NONE);
}

static void busy_blocks_are_never_evicted(void **state)
{
    struct cache *c = *state;
    for (uint64_t block = 0; block < COUNT; block++)
        assert_int_not_equal(cache_claim(c, 1, block, NULL), CACHE_NONE);
    assert_int_equal(cache_room(c), 0);
    assert_int_equal(cache_claim(c, 1, COUNT, NULL), CACHE_NONE);
    uint32_t first = cache_find(c, 1, 0);
    cache_fill(c, first, CACHE_DEMAND);
    assert_int_equal(cache_claim(c, 1, COUNT, NULL), first);
    assert_int_equal(cache_find(c, 1, 0), CACHE_NONE);
}

static void valid_blocks_follow_a_write(void **state)
{
    struct cache *c = *state;
    static uint8_t data[3 * CACHE_BLOCK_BYTES];
    memset(data, 0xee, sizeof data);
    uint32_t left = put(c, 1, 10), middle = put(c, 1, 11), other = put(c, 2, 11);
    /* the last 512 bytes of block 10, all of 11 */
    cache_change(c, 1, 11 * CACHE_BLOCK_BYTES - 512, 512 + CACHE_BLOCK_BYTES, CACHE_WRITTEN, data);
    assert_int_equal(cache_data(c, left)[CACHE_BLOCK_BYTES - 513], 10);
    assert_int_equal(cache_data(c, left)[CACHE_BLOCK_BYTES - 512], 0xee);
    assert_int_equal(cache_data(c, middle)[0], 0xee);
    assert_int_equal(cache_data(c, middle)[CACHE_BLOCK_BYTES - 1], 0xee);
    assert_int_equal(cache_data(c, other)[0], 11);
    cache_change(c, 1, 11 * CACHE_BLOCK_BYTES, 100, CACHE_ZEROED, NULL);
    assert_int_equal(cache_data(c, middle)[99], 0);
    assert_int_equal(cache_data(c, middle)[100], 0xee);
    cache_change(c, 1, 11 * CACHE_BLOCK_BYTES, 1, CACHE_UNKNOWN, NULL);
    assert_int_equal(cache_find(c, 1, 11), CACHE_NONE);
}

static void a_fetch_that_a_write_overtook_is_not_kept(void **state)
{
    struct cache *c = *state;
    const uint8_t data[1] = {1};
    uint32_t fetched = cache_claim(c, 1, 5, NULL);
    cache_change(c, 1, 5 * CACHE_BLOCK_BYTES, 1, CACHE_WRITTEN, data);
    assert_int_equal(cache_find(c, 1, 5), CACHE_NONE);
    cache_fill(c, fetched, CACHE_DEMAND); /* the old bytes arrive */
    assert_int_equal(cache_find(c, 1, 5), CACHE_NONE);
    assert_int_equal(cache_room(c), COUNT);
}

static void a_change_larger_than_the_cache_and_a_dropped_export(void **state)
{
    struct cache *c = *state;
    put(c, 1, 3);
    put(c, 1, 1u << 30);
    put(c, 2, 3);
    cache_change(c, 1, 0, 1ull << 40, CACHE_UNKNOWN, NULL);
    assert_int_equal(cache_find(c, 1, 3), CACHE_NONE);
    assert_int_not_equal(cache_find(c, 1, 1u << 30), CACHE_NONE); /* behind the range */
    assert_int_not_equal(cache_find(c, 2, 3), CACHE_NONE);
    cache_drop_export(c, 2);
    assert_int_equal(cache_find(c, 2, 3), CACHE_NONE);
}

static void what_nobody_used_is_counted(void **state)
{
    struct cache *c = *state;
    uint32_t used = cache_claim(c, 1, 1, NULL), left = cache_claim(c, 1, 2, NULL);
    cache_fill(c, used, CACHE_PROFILE);
    cache_fill(c, left, CACHE_AROUND);
    assert_int_equal(c->unused, 2);
    assert_int_equal(cache_touch(c, used), CACHE_PROFILE);
    assert_int_equal(cache_touch(c, used), CACHE_DEMAND); /* the first time counts */
    assert_int_equal(c->unused, 1);
    cache_drop(c, used);
    cache_drop(c, left);
    assert_int_equal(c->unused, 0);
    assert_int_equal(c->wasted[CACHE_PROFILE], 0);
    assert_int_equal(c->wasted[CACHE_AROUND], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_by_export_and_block),
        TEST(is_bounded_and_gives_the_newest),
        TEST(a_scan_leaves_what_is_read_again),
        TEST(busy_blocks_are_never_evicted),
        TEST(valid_blocks_follow_a_write),
        TEST(a_fetch_that_a_write_overtook_is_not_kept),
        TEST(what_nobody_used_is_counted),
        TEST(a_change_larger_than_the_cache_and_a_dropped_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
