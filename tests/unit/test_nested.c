// SPDX-License-Identifier: BSD-2-Clause
/* Nested page tables, of both vendors, over a fake frame allocator: what is mapped is found, what is
 * unmapped is gone, and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/nested.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define ADDRESS 0x000ffffffffff000ull
#define TAG (31ull << 52)
#define ALL (LEAT_PROT_READ | LEAT_PROT_WRITE | LEAT_PROT_EXEC)
/* Read, write, write-back, PAT ignored; present, writable, user, no-execute. */
#define EPT_RW 0x73ull
#define NPT_RW 0x8000000000000007ull

static unsigned frames_used, frames_allowed;
static const struct nested_format *form;

bool nested_frame_new(struct nested *n, uint64_t *hpa_out)
{
    (void)n;
    if (frames_used == frames_allowed)
        return false;
    frames_used++;
    void *page = aligned_alloc(4096, 4096);
    memset(page, 0, 4096);
    *hpa_out = (uint64_t)page;
    return true;
}

void nested_frame_free(struct nested *n, uint64_t at)
{
    (void)n;
    frames_used--;
    free((void *)at);
}

uint64_t *nested_frame_at(uint64_t at)
{
    return (uint64_t *)at;
}

static int map(struct nested *n, uint64_t at, uint64_t to, uint64_t size, uint32_t prot,
               unsigned tag)
{
    return nested_map(n, gpa(at), hpa(to), size, prot, tag);
}

static int unmap(struct nested *n, uint64_t at, uint64_t size, uint64_t *pages)
{
    return nested_unmap(n, gpa(at), size, pages);
}

static struct nested make(unsigned max_level)
{
    struct nested n = {.format = form, .max_level = max_level};
    frames_used = 0;
    frames_allowed = 1000;
    assert_int_equal(nested_init(&n), LEAT_OK);
    return n;
}

static void finish(struct nested *n)
{
    nested_free_tables(n);
    assert_int_equal(frames_used, 0);
}

/* Where gpa leads to; 0: nowhere. */
static uint64_t translate(const struct nested *n, uint64_t gpa)
{
    unsigned level;
    uint64_t entry = nested_find(n, gpa, &level);
    uint64_t mask = (4096ull << 9 * (level - 1)) - 1;
    return entry ? ((entry & ADDRESS) & ~mask) + (gpa & mask) : 0;
}

static void uses_the_largest_pages_that_fit(void **state)
{
    (void)state;
    struct nested n = make(3);
    assert_int_equal(map(&n, GIB - 2 * MIB - 4 * KIB, 5 * GIB - 2 * MIB - 4 * KIB,
                         GIB + 4 * MIB + 8 * KIB, LEAT_PROT_READ | LEAT_PROT_WRITE, 3),
                     LEAT_OK);
    static const struct {
        uint64_t gpa;
        unsigned level;
    } expected[] = {{GIB - 2 * MIB - 4 * KIB, 1},
                    {GIB - 2 * MIB, 2},
                    {GIB, 3},
                    {2 * GIB, 2},
                    {2 * GIB + 2 * MIB, 1}};
    for (unsigned i = 0; i < 5; i++) {
        unsigned level;
        uint64_t entry = nested_find(&n, expected[i].gpa, &level);
        assert_int_equal(level, expected[i].level);
        assert_int_equal(entry & ~(ADDRESS | TAG | NESTED_LARGE),
                         form == &nested_ept ? EPT_RW : NPT_RW);
        assert_int_equal(!!(entry & NESTED_LARGE), level > 1);
        assert_int_equal(translate(&n, expected[i].gpa + 0x123), expected[i].gpa + 4 * GIB + 0x123);
    }
    assert_int_equal(translate(&n, GIB - 2 * MIB - 8 * KIB), 0);
    assert_int_equal(translate(&n, 2 * GIB + 2 * MIB + 4 * KIB), 0);
    finish(&n);
}

static void executes_what_may_be(void **state)
{
    (void)state;
    struct nested n = make(3);
    unsigned level;
    assert_int_equal(map(&n, 0, 4 * KIB, 4 * KIB, LEAT_PROT_READ | LEAT_PROT_EXEC, 0), LEAT_OK);
    uint64_t entry = nested_find(&n, 0, &level);
    assert_int_equal(entry & ~ADDRESS, form == &nested_ept ? 0x75 : 5);
    finish(&n);
}

static void keeps_to_what_the_cpu_can(void **state)
{
    (void)state;
    for (unsigned max_level = 1; max_level <= 3; max_level++) {
        struct nested n = make(max_level);
        frames_allowed = 10000;
        assert_int_equal(map(&n, 0, GIB, GIB, ALL, 0), LEAT_OK);
        unsigned level;
        assert_true(nested_find(&n, 5 * MIB, &level));
        assert_int_equal(level, max_level);
        finish(&n);
    }
}

static void unaligned_host_memory_gets_small_pages(void **state)
{
    (void)state;
    struct nested n = make(3);
    assert_int_equal(map(&n, 0, 4 * KIB, 4 * MIB, ALL, 0), LEAT_OK);
    unsigned level;
    assert_true(nested_find(&n, 2 * MIB, &level));
    assert_int_equal(level, 1);
    assert_int_equal(translate(&n, 3 * MIB), 3 * MIB + 4 * KIB);
    finish(&n);
}

static void refuses_what_is_taken(void **state)
{
    (void)state;
    struct nested n = make(3);
    assert_int_equal(map(&n, 4 * MIB, 4 * MIB, 2 * MIB, ALL, 0), LEAT_OK);
    assert_int_equal(map(&n, 0, 64 * MIB, GIB, ALL, 0), LEAT_EBUSY);
    assert_int_equal(map(&n, 6 * MIB - 4 * KIB, 0, 4 * KIB, ALL, 0), LEAT_EBUSY);
    assert_int_equal(translate(&n, 4 * MIB - 4 * KIB), 0);
    assert_int_equal(translate(&n, 5 * MIB), 5 * MIB);
    finish(&n);
}

static void unmapping_splits_and_counts_by_tag(void **state)
{
    (void)state;
    struct nested n = make(3);
    assert_int_equal(map(&n, 0, 8 * GIB, GIB, ALL, 7), LEAT_OK);
    assert_int_equal(map(&n, GIB, 2 * MIB, 2 * MIB, LEAT_PROT_READ, 31), LEAT_OK);
    uint64_t pages[NESTED_TAG_NUMBERS] = {0};
    assert_int_equal(unmap(&n, GIB - 12 * KIB, 16 * KIB, pages), LEAT_OK);
    for (unsigned i = 0; i < NESTED_TAG_NUMBERS; i++)
        assert_int_equal(pages[i], i == 7 ? 3 : i == 31 ? 1 : 0);
    assert_int_equal(translate(&n, GIB - 16 * KIB), 9 * GIB - 16 * KIB);
    assert_int_equal(translate(&n, GIB - 12 * KIB), 0);
    assert_int_equal(translate(&n, GIB), 0);
    assert_int_equal(translate(&n, GIB + 4 * KIB), 2 * MIB + 4 * KIB);
    assert_int_equal(translate(&n, 17 * MIB), 8 * GIB + 17 * MIB);
    memset(pages, 0, sizeof(pages));
    assert_int_equal(unmap(&n, 0, 1ull << 46, pages), LEAT_OK);
    assert_int_equal(pages[7], GIB / 4096 - 3);
    assert_int_equal(pages[31], 511);
    assert_int_equal(translate(&n, 17 * MIB), 0);
    assert_int_equal(map(&n, 0, 8 * GIB, GIB, ALL, 7), LEAT_OK);
    finish(&n);
}

static void running_out_of_frames_changes_nothing(void **state)
{
    (void)state;
    for (unsigned allowed = 1; allowed < 6; allowed++) {
        struct nested n = make(3);
        frames_allowed = allowed; /* the range below needs its top table and five more */
        assert_int_equal(map(&n, 512 * GIB - 4 * KIB, GIB - 4 * KIB, 8 * KIB, ALL, 0), LEAT_ENOMEM);
        assert_int_equal(translate(&n, 512 * GIB - 4 * KIB), 0);
        finish(&n);
    }
    struct nested n = make(3);
    assert_int_equal(map(&n, 0, GIB, GIB, ALL, 1), LEAT_OK);
    frames_allowed = frames_used + 1; /* one of the two that the split needs */
    uint64_t pages[NESTED_TAG_NUMBERS] = {0};
    assert_int_equal(unmap(&n, 4 * KIB, 4 * KIB, pages), LEAT_ENOMEM);
    assert_int_equal(pages[1], 0);
    assert_int_equal(translate(&n, 4 * KIB), GIB + 4 * KIB);
    assert_int_equal(translate(&n, 900 * MIB), GIB + 900 * MIB);
    finish(&n);
}

/* Random maps and unmaps against a flat array of 4 KiB pages. */
static void agrees_with_a_flat_model(void **state)
{
    (void)state;
    enum { PAGES = 4096 };
    static uint64_t model[PAGES];
    memset(model, 0, sizeof(model));
    struct nested n = make(2);
    srand(1);
    for (unsigned step = 0; step < 3000; step++) {
        uint64_t first = (unsigned)rand() % PAGES, count = 1 + (unsigned)rand() % 700;
        if (first + count > PAGES)
            count = PAGES - first;
        if (rand() % 3 == 0)
            first &= ~511ull;
        bool is_free = true;
        uint64_t mapped = 0;
        for (uint64_t i = first; i < first + count; i++) {
            is_free = is_free && !model[i];
            mapped += model[i] != 0;
        }
        if (rand() % 2) {
            uint64_t to = (1 + (unsigned)rand() % 8) * 512 * 4096;
            int error = map(&n, first * 4096, to, count * 4096, ALL, 5);
            assert_int_equal(error, is_free ? LEAT_OK : LEAT_EBUSY);
            for (uint64_t i = first; is_free && i < first + count; i++)
                model[i] = to + (i - first) * 4096;
        } else {
            uint64_t pages[NESTED_TAG_NUMBERS] = {0};
            assert_int_equal(unmap(&n, first * 4096, count * 4096, pages), LEAT_OK);
            assert_int_equal(pages[5], mapped);
            memset(&model[first], 0, count * sizeof(model[0]));
        }
        for (uint64_t i = step % 7; i < PAGES; i += 7)
            assert_int_equal(translate(&n, i * 4096), model[i]);
    }
    finish(&n);
}

static int use_ept(void **state)
{
    (void)state;
    form = &nested_ept;
    return 0;
}

static int use_npt(void **state)
{
    (void)state;
    form = &nested_npt;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_the_largest_pages_that_fit),
        cmocka_unit_test(executes_what_may_be),
        cmocka_unit_test(keeps_to_what_the_cpu_can),
        cmocka_unit_test(unaligned_host_memory_gets_small_pages),
        cmocka_unit_test(refuses_what_is_taken),
        cmocka_unit_test(unmapping_splits_and_counts_by_tag),
        cmocka_unit_test(running_out_of_frames_changes_nothing),
        cmocka_unit_test(agrees_with_a_flat_model),
    };
    return cmocka_run_group_tests_name("EPT", tests, use_ept, NULL) +
           cmocka_run_group_tests_name("NPT", tests, use_npt, NULL);
}
