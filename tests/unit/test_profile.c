// SPDX-License-Identifier: BSD-2-Clause
/* Boot profiles: recorded, merged, planned, written and read; damaged ones are refused. */
#include "vdisk/profile/recorder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE (1ull << 30)
#define SECOND 1000000000ull

static struct profile make(const struct profile_run *runs, uint32_t count)
{
    struct profile p = {.size_bytes = SIZE, .boots = 1};
    for (uint32_t i = 0; i < count; i++)
        assert_true(profile_add(&p, runs[i].first, runs[i].count, runs[i].at_ms, runs[i].boots));
    return p;
}

static void expect(const struct profile *p, const struct profile_run *runs, uint32_t count)
{
    assert_int_equal(p->count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(p->runs[i].first, runs[i].first);
        assert_int_equal(p->runs[i].count, runs[i].count);
        assert_int_equal(p->runs[i].at_ms, runs[i].at_ms);
        assert_int_equal(p->runs[i].boots, runs[i].boots);
    }
}
#define EXPECT(p, ...)                                                                             \
    do {                                                                                           \
        const struct profile_run wanted[] = {__VA_ARGS__};                                         \
        expect(p, wanted, sizeof wanted / sizeof wanted[0]);                                       \
    } while (0)

static void records_first_touches_in_order(void **state)
{
    (void)state;
    struct recorder r = {0};
    recorder_start(&r, SIZE, 5 * SECOND);
    assert_int_equal(recorder_deadline(&r), UINT64_MAX); /* nothing read: it waits */
    recorder_note(&r, 100, 103, 7 * SECOND);
    recorder_note(&r, 102, 105, 7 * SECOND + 3000000);
    recorder_note(&r, 7, 7, 8 * SECOND);
    recorder_note(&r, 100, 105, 11 * SECOND); /* nothing new */
    assert_int_equal(recorder_deadline(&r), 13 * SECOND);
    recorder_stop(&r);
    assert_int_equal(recorder_deadline(&r), UINT64_MAX);
    EXPECT(&r.boot, {100, 4, 0, 1}, {104, 2, 3, 1}, {7, 1, 1000, 1});
    recorder_free(&r);
}

static void a_recording_is_bounded(void **state)
{
    (void)state;
    struct recorder r = {0};
    recorder_start(&r, 1ull << 50, SECOND);
    recorder_note(&r, 0, PROFILE_MAX_BLOCKS - 1, 1);
    assert_true(r.is_on);
    recorder_note(&r, 1ull << 37, 1ull << 37, 2);
    assert_false(r.is_on); /* full */
    assert_int_equal(r.boot.blocks, PROFILE_MAX_BLOCKS);
    recorder_start(&r, 1ull << 50, SECOND);
    for (uint64_t i = 0; r.is_on; i++)
        recorder_note(&r, i * 2, i * 2, 1);
    assert_int_equal(r.boot.count, PROFILE_MAX_RUNS);
    recorder_free(&r);
}

static void merges_boots(void **state)
{
    (void)state;
    struct profile empty = {0}, one = {0}, two = {0};
    struct profile_run a[] = {{10, 4, 0, 1}, {50, 2, 20, 1}, {30, 1, 40, 1}};
    struct profile_run b[] = {{30, 1, 0, 1}, {11, 2, 30, 1}, {90, 1, 50, 1}};
    struct profile first = make(a, 3), second = make(b, 3);
    assert_true(profile_merge(&empty, &first, &one));
    EXPECT(&one, {10, 4, 0, 1}, {50, 2, 20, 1}, {30, 1, 40, 1});
    assert_int_equal(one.boots, 1);
    assert_true(profile_merge(&one, &second, &two));
    /* The new boot's order; what only the old one had at its old time: seen in half of the boots. */
    EXPECT(&two, {30, 1, 0, 3}, {10, 1, 0, 2}, {13, 1, 0, 2}, {50, 2, 20, 2}, {11, 2, 30, 3},
           {90, 1, 50, 1});
    assert_int_equal(two.boots, 2);
    profile_free(&one);
    assert_true(profile_merge(&two, &second, &one)); /* once in three boots is not enough */
    EXPECT(&one, {30, 1, 0, 7}, {11, 2, 30, 7}, {90, 1, 50, 3});
    profile_free(&one);
    first.size_bytes *= 2; /* another image: the old one does not count */
    assert_true(profile_merge(&two, &first, &one));
    assert_int_equal(one.boots, 1);
    assert_int_equal(one.blocks, first.blocks);
    profile_free(&one);
    profile_free(&two);
    profile_free(&first);
    profile_free(&second);
}

static void plans_large_requests(void **state)
{
    (void)state;
    struct profile_run a[] = {{10, 4, 0, 1},       {500, 1, 5, 1},    {14, 2, 10, 1},
                              {8, 2, 20, 1},       {16, 9, 5000, 1},  {600, 200, 5001, 1},
                              {800, 200, 5002, 1}, {1000, 1, 5003, 1}};
    struct profile p = make(a, 8), plan = {0};
    assert_true(profile_plan(&p, &plan));
    /* Neighbours soon after join, on both sides; one that is needed seconds later does not; and no
     * run gets larger than what is asked for at once needs. */
    EXPECT(&plan, {8, 8, 0, 1}, {500, 1, 5, 1}, {16, 9, 5000, 1}, {600, 400, 5001, 1},
           {1000, 1, 5003, 1});
    profile_free(&plan);
    profile_free(&p);
}

static void survives_a_file(void **state)
{
    (void)state;
    struct profile_run a[] = {{10, 4, 0, 0x81}, {50, 2, 20, 1}, {262143, 1, PROFILE_MAX_MS, 255}};
    struct profile p = make(a, 3), q = {0};
    p.boots = 8;
    size_t size = profile_encoded_bytes(&p);
    uint8_t *data = malloc(size);
    profile_encode(&p, data);
    assert_null(profile_decode(data, size, &q));
    assert_int_equal(q.size_bytes, SIZE);
    assert_int_equal(q.boots, 8);
    assert_int_equal(q.blocks, 7);
    expect(&q, a, 3);
    profile_free(&q);
    for (size_t i = 0; i < size * 8; i++) { /* any one bit */
        data[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_non_null(profile_decode(data, size, &q));
        assert_null(q.runs);
        data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_non_null(profile_decode(data, cut, &q));
    free(data);
    profile_free(&p);
}

/* Encoded with a right check, and yet nonsense. */
static const char *decoded(struct profile p)
{
    struct profile q = {0};
    size_t size = profile_encoded_bytes(&p);
    uint8_t *data = malloc(size);
    profile_encode(&p, data);
    const char *why = profile_decode(data, size, &q);
    assert_true(!why == !!q.count);
    profile_free(&q);
    profile_free(&p);
    free(data);
    return why;
}

static void refuses_nonsense(void **state)
{
    (void)state;
    struct profile_run outside[] = {{262143, 2, 0, 1}}, far[] = {{UINT64_MAX, 1, 0, 1}};
    struct profile_run none[] = {{5, 1, 9, 1}, {5, 0, 9, 3}}, back[] = {{5, 1, 9, 1}, {8, 1, 8, 1}};
    struct profile_run never[] = {{5, 1, 9, 0}}, good[] = {{262143, 1, 0, 1}};
    struct profile_run huge[] = {{0, 262144, 0, 1}, {0, 1, 0, 1}};
    struct profile p = make(huge, 1);
    assert_null(decoded(make(good, 1)));
    assert_string_equal(decoded(make(outside, 1)), "it names blocks outside the image");
    assert_string_equal(decoded(make(far, 1)), "it names blocks outside the image");
    assert_string_equal(decoded(make(none, 2)), "it names blocks outside the image");
    assert_string_equal(decoded(make(back, 2)), "its order makes no sense");
    assert_string_equal(decoded(make(never, 1)), "its order makes no sense");
    p.runs[p.count++] = huge[1]; /* twice the same block, beyond what a profile may hold */
    assert_string_equal(decoded(p), "it is too large");
    p = make(good, 1);
    p.boots = 9;
    assert_string_equal(decoded(p), "its header makes no sense");
    assert_string_equal(profile_decode((const uint8_t *)"x", 1, &p), "it is not a boot profile");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_first_touches_in_order),
        cmocka_unit_test(a_recording_is_bounded),
        cmocka_unit_test(merges_boots),
        cmocka_unit_test(plans_large_requests),
        cmocka_unit_test(survives_a_file),
        cmocka_unit_test(refuses_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
