// SPDX-License-Identifier: BSD-2-Clause
/* leatd's merging of boot profiles: what counts, in which order, within which bounds. */
#include "tools/leatd/merge.h"

#include "vdisk/profile/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE ((uint64_t)1 << 40)

static struct merge_part encoded(struct profile *p)
{
    struct merge_part part = {.bytes = profile_encoded_bytes(p)};
    uint8_t *data = malloc(part.bytes);
    profile_encode(p, data);
    profile_free(p);
    part.data = data;
    return part;
}

/* A boot of runs {first, count, at_ms}. */
static struct merge_part boot_of(const uint32_t (*runs)[3], unsigned count)
{
    struct profile p = {.size_bytes = SIZE, .boots = 1};
    for (unsigned i = 0; i < count; i++)
        assert_true(profile_add(&p, runs[i][0], runs[i][1], runs[i][2], 1));
    return encoded(&p);
}

#define BOOT(...)                                                                                  \
    boot_of((const uint32_t[][3]){__VA_ARGS__},                                                    \
            sizeof(const uint32_t[][3]){__VA_ARGS__} / sizeof(uint32_t[3]))

/* The merged profile of the parts, whose data is freed. */
static struct profile merged(struct merge_part *parts, unsigned count)
{
    struct profile p = {0};
    size_t bytes;
    uint8_t *data = merge_parts(parts, count, &bytes);
    assert_non_null(data);
    assert_true(bytes <= MERGE_BYTES);
    assert_null(profile_decode(data, bytes, &p));
    free(data);
    for (unsigned i = 0; i < count; i++)
        free((void *)(uintptr_t)parts[i].data);
    return p;
}

static void assert_run(const struct profile *p, unsigned i, uint64_t first, uint32_t at_ms,
                       uint8_t boots)
{
    assert_true(i < p->count);
    assert_int_equal(p->runs[i].first, first);
    assert_int_equal(p->runs[i].at_ms, at_ms);
    assert_int_equal(p->runs[i].boots, boots);
}

static void test_order(void **state)
{
    (void)state;
    // Within a second what both have needed stands first; a second later what one needs is not put before it.
    struct merge_part parts[] = {BOOT({10, 1, 0}, {50, 1, 300}, {70, 1, 5000}),
                                 BOOT({20, 1, 100}, {50, 1, 400}, {70, 1, 2000})};
    struct profile p = merged(parts, 2);
    assert_int_equal(p.boots, 2);
    assert_int_equal(p.count, 4);
    assert_run(&p, 0, 50, 0, 3);
    assert_run(&p, 1, 10, 100, 2);
    assert_run(&p, 2, 20, 400, 1);
    assert_run(&p, 3, 70, 2000, 3);
    profile_free(&p);
}

static void test_forgets(void **state)
{
    (void)state;
    struct merge_part parts[MERGE_PARTS];
    for (unsigned i = 0; i < MERGE_PARTS; i++)
        parts[i] = BOOT({10, 1, 0}, {100 + i, 1, 2000});
    struct profile p = merged(parts, MERGE_PARTS);
    assert_int_equal(p.count, 2);
    assert_run(&p, 0, 10, 0, 0xff);
    assert_run(&p, 1, 100 + MERGE_PARTS - 1, 2000, 1); // the newest boot is there whole
    profile_free(&p);
}

static void test_newest(void **state)
{
    (void)state;
    struct profile sent = {.size_bytes = SIZE, .boots = 3}, boot = {0};
    const char *why;
    size_t bytes;
    uint64_t blocks = 0;
    assert_true(profile_add(&sent, 1, 2, 0, 6) && profile_add(&sent, 10, 3, 5, 7) &&
                profile_add(&sent, 20, 4, 9, 1));
    struct merge_part part = encoded(&sent);
    uint8_t *data = merge_newest(part, SIZE, &bytes, &blocks, &why);
    assert_non_null(data);
    assert_int_equal(blocks, 7);
    assert_null(profile_decode(data, bytes, &boot));
    assert_int_equal(boot.boots, 1);
    assert_int_equal(boot.count, 2);
    assert_run(&boot, 0, 10, 5, 1);
    assert_run(&boot, 1, 20, 9, 1);
    assert_null(merge_newest(part, SIZE - 4096, &bytes, &blocks, &why));
    assert_string_equal(why, "it is of an image of another size");
    for (size_t cut = 0; cut < part.bytes; cut++) {
        part.bytes = cut;
        assert_null(merge_newest(part, SIZE, &bytes, &blocks, &why));
        assert_non_null(why);
    }
    profile_free(&boot);
    free(data);
    free((void *)(uintptr_t)part.data);
}

/* As many runs as a profile can have, in each of eight, none of them the same. */
static void test_bounds(void **state)
{
    (void)state;
    struct merge_part parts[2], none = {"x", 1};
    size_t bytes;
    for (unsigned k = 0; k < 2; k++) {
        struct profile p = {.size_bytes = SIZE, .boots = 1};
        for (uint32_t i = 0; i < PROFILE_MAX_RUNS; i++)
            assert_true(profile_add(&p, (uint64_t)i * 8 + 2 * k, 1, i, 1));
        parts[k] = encoded(&p);
    }
    struct profile p = merged(parts, 2);
    assert_int_equal(p.count, (MERGE_BYTES - 40) / 16);
    profile_free(&p);
    assert_null(merge_parts(NULL, 0, &bytes));
    assert_null(merge_parts(&none, 1, &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_forgets),
                                       cmocka_unit_test(test_newest),
                                       cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
