// SPDX-License-Identifier: BSD-2-Clause
/* Extended page tables over a fake frame allocator: what is mapped is found, what is unmapped is
 * gone, and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/vmx/ept.h"

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define ADDRESS 0x000ffffffffff000ull

static unsigned frames_used, frames_allowed;

bool ept_frame_new(struct ept *ept, uint64_t *hpa_out)
{
    (void)ept;
    if (frames_used == frames_allowed)
        return false;
    frames_used++;
    void *page = aligned_alloc(4096, 4096);
    memset(page, 0, 4096);
    *hpa_out = (uint64_t)page;
    return true;
}

void ept_frame_free(struct ept *ept, uint64_t at)
{
    (void)ept;
    frames_used--;
    free((void *)at);
}

uint64_t *ept_frame_at(uint64_t at)
{
    return (uint64_t *)at;
}

static struct ept make(unsigned max_level)
{
    struct ept ept = {.max_level = max_level};
    frames_used = 0;
    frames_allowed = 1000;
    assert_int_equal(ept_init(&ept), LEAT_OK);
    return ept;
}

static void finish(struct ept *ept)
{
    ept_destroy(ept);
    assert_int_equal(frames_used, 0);
}

/* Where gpa leads to; 0: nowhere. */
static uint64_t translate(const struct ept *ept, uint64_t gpa)
{
    unsigned level;
    uint64_t entry = ept_find(ept, gpa, &level);
    uint64_t mask = (4096ull << 9 * (level - 1)) - 1;
    return entry ? ((entry & ADDRESS) & ~mask) + (gpa & mask) : 0;
}

static void uses_the_largest_pages_that_fit(void **state)
{
    (void)state;
    struct ept ept = make(3);
    assert_int_equal(ept_map(&ept, GIB - 2 * MIB - 4 * KIB, 5 * GIB - 2 * MIB - 4 * KIB,
                             GIB + 4 * MIB + 8 * KIB, EPT_READ | EPT_WRITE, 3),
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
        uint64_t entry = ept_find(&ept, expected[i].gpa, &level);
        assert_int_equal(level, expected[i].level);
        assert_int_equal(entry & EPT_RIGHTS, EPT_READ | EPT_WRITE);
        assert_int_equal(entry >> 3 & 7, 6); /* write-back */
        assert_int_equal(translate(&ept, expected[i].gpa + 0x123),
                         expected[i].gpa + 4 * GIB + 0x123);
    }
    assert_int_equal(translate(&ept, GIB - 2 * MIB - 8 * KIB), 0);
    assert_int_equal(translate(&ept, 2 * GIB + 2 * MIB + 4 * KIB), 0);
    finish(&ept);
}

static void keeps_to_what_the_cpu_can(void **state)
{
    (void)state;
    for (unsigned max_level = 1; max_level <= 3; max_level++) {
        struct ept ept = make(max_level);
        frames_allowed = 10000;
        assert_int_equal(ept_map(&ept, 0, GIB, GIB, EPT_RIGHTS, 0), LEAT_OK);
        unsigned level;
        assert_true(ept_find(&ept, 5 * MIB, &level));
        assert_int_equal(level, max_level);
        finish(&ept);
    }
}

static void unaligned_host_memory_gets_small_pages(void **state)
{
    (void)state;
    struct ept ept = make(3);
    assert_int_equal(ept_map(&ept, 0, 4 * KIB, 4 * MIB, EPT_RIGHTS, 0), LEAT_OK);
    unsigned level;
    assert_true(ept_find(&ept, 2 * MIB, &level));
    assert_int_equal(level, 1);
    assert_int_equal(translate(&ept, 3 * MIB), 3 * MIB + 4 * KIB);
    finish(&ept);
}

static void refuses_what_is_taken(void **state)
{
    (void)state;
    struct ept ept = make(3);
    assert_int_equal(ept_map(&ept, 4 * MIB, 4 * MIB, 2 * MIB, EPT_RIGHTS, 0), LEAT_OK);
    assert_int_equal(ept_map(&ept, 0, 64 * MIB, GIB, EPT_RIGHTS, 0), LEAT_EBUSY);
    assert_int_equal(ept_map(&ept, 6 * MIB - 4 * KIB, 0, 4 * KIB, EPT_RIGHTS, 0), LEAT_EBUSY);
    assert_int_equal(translate(&ept, 4 * MIB - 4 * KIB), 0);
    assert_int_equal(translate(&ept, 5 * MIB), 5 * MIB);
    finish(&ept);
}

static void unmapping_splits_and_counts_by_tag(void **state)
{
    (void)state;
    struct ept ept = make(3);
    assert_int_equal(ept_map(&ept, 0, 8 * GIB, GIB, EPT_RIGHTS, 7), LEAT_OK);
    assert_int_equal(ept_map(&ept, GIB, 2 * MIB, 2 * MIB, EPT_READ, 31), LEAT_OK);
    uint64_t pages[EPT_TAGS] = {0};
    assert_int_equal(ept_unmap(&ept, GIB - 12 * KIB, 16 * KIB, pages), LEAT_OK);
    for (unsigned i = 0; i < EPT_TAGS; i++)
        assert_int_equal(pages[i], i == 7 ? 3 : i == 31 ? 1 : 0);
    assert_int_equal(translate(&ept, GIB - 16 * KIB), 9 * GIB - 16 * KIB);
    assert_int_equal(translate(&ept, GIB - 12 * KIB), 0);
    assert_int_equal(translate(&ept, GIB), 0);
    assert_int_equal(translate(&ept, GIB + 4 * KIB), 2 * MIB + 4 * KIB);
    assert_int_equal(translate(&ept, 17 * MIB), 8 * GIB + 17 * MIB);
    memset(pages, 0, sizeof(pages));
    assert_int_equal(ept_unmap(&ept, 0, 1ull << 46, pages), LEAT_OK);
    assert_int_equal(pages[7], GIB / 4096 - 3);
    assert_int_equal(pages[31], 511);
    assert_int_equal(translate(&ept, 17 * MIB), 0);
    assert_int_equal(ept_map(&ept, 0, 8 * GIB, GIB, EPT_RIGHTS, 7), LEAT_OK);
    finish(&ept);
}

static void running_out_of_frames_changes_nothing(void **state)
{
    (void)state;
    for (unsigned allowed = 1; allowed < 6; allowed++) {
        struct ept ept = make(3);
        frames_allowed = allowed; /* the range below needs its top table and five more */
        assert_int_equal(ept_map(&ept, 512 * GIB - 4 * KIB, GIB - 4 * KIB, 8 * KIB, EPT_RIGHTS, 0),
                         LEAT_ENOMEM);
        assert_int_equal(translate(&ept, 512 * GIB - 4 * KIB), 0);
        finish(&ept);
    }
    struct ept ept = make(3);
    assert_int_equal(ept_map(&ept, 0, GIB, GIB, EPT_RIGHTS, 1), LEAT_OK);
    frames_allowed = frames_used + 1; /* one of the two that the split needs */
    uint64_t pages[EPT_TAGS] = {0};
    assert_int_equal(ept_unmap(&ept, 4 * KIB, 4 * KIB, pages), LEAT_ENOMEM);
    assert_int_equal(pages[1], 0);
    assert_int_equal(translate(&ept, 4 * KIB), GIB + 4 * KIB);
    assert_int_equal(translate(&ept, 900 * MIB), GIB + 900 * MIB);
    finish(&ept);
}

/* Random maps and unmaps against a flat array of 4 KiB pages. */
static void agrees_with_a_flat_model(void **state)
{
    (void)state;
    enum { PAGES = 4096 };
    static uint64_t model[PAGES];
    memset(model, 0, sizeof(model));
    struct ept ept = make(2);
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
            int error = ept_map(&ept, first * 4096, to, count * 4096, EPT_RIGHTS, 5);
            assert_int_equal(error, is_free ? LEAT_OK : LEAT_EBUSY);
            for (uint64_t i = first; is_free && i < first + count; i++)
                model[i] = to + (i - first) * 4096;
        } else {
            uint64_t pages[EPT_TAGS] = {0};
            assert_int_equal(ept_unmap(&ept, first * 4096, count * 4096, pages), LEAT_OK);
            assert_int_equal(pages[5], mapped);
            memset(&model[first], 0, count * sizeof(model[0]));
        }
        for (uint64_t i = step % 7; i < PAGES; i += 7)
            assert_int_equal(translate(&ept, i * 4096), model[i]);
    }
    finish(&ept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_the_largest_pages_that_fit),
        cmocka_unit_test(keeps_to_what_the_cpu_can),
        cmocka_unit_test(unaligned_host_memory_gets_small_pages),
        cmocka_unit_test(refuses_what_is_taken),
        cmocka_unit_test(unmapping_splits_and_counts_by_tag),
        cmocka_unit_test(running_out_of_frames_changes_nothing),
        cmocka_unit_test(agrees_with_a_flat_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
